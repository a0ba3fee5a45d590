#include "hv/devices/keyboard_controller.hpp"

#include <utility>

namespace archelon::devices {
namespace {

constexpr std::uint8_t kStatusOutputFull = 0x01;
constexpr std::uint8_t kStatusSystem = 0x04;
constexpr std::uint8_t kStatusCommand = 0x08;
constexpr std::uint8_t kStatusUnlocked = 0x10;

}  // namespace

void KeyboardController::answer(std::uint8_t value) {
  output_ = value;
  output_full_ = true;
}

std::uint8_t KeyboardController::read_data() {
  output_full_ = false;
  return output_;
}

std::uint8_t KeyboardController::read_status() const {
  return static_cast<std::uint8_t>(kStatusSystem | kStatusUnlocked |
                                   (output_full_ ? kStatusOutputFull : 0) |
                                   (last_was_command_ ? kStatusCommand : 0));
}

void KeyboardController::set_a20(bool on) {
  output_port_ = static_cast<std::uint8_t>(on ? output_port_ | kA20 : output_port_ & ~kA20);
}

bool KeyboardController::write_data(std::uint8_t value) {
  last_was_command_ = false;
  switch (std::exchange(expect_, Expect::kNothing)) {
    case Expect::kCommandByte:
      command_byte_ = value;
      return false;
    case Expect::kOutputPort:
      output_port_ = value | 0x01;
      return (value & 0x01) == 0;  // bit 0 low pulls the reset line
    default:                       // a byte for a device that is not there
      return false;
  }
}

bool KeyboardController::write_command(std::uint8_t value) {
  last_was_command_ = true;
  expect_ = Expect::kNothing;
  switch (value) {
    case 0x20:
      answer(command_byte_);
      break;
    case 0x60:
      expect_ = Expect::kCommandByte;
      break;
    case 0xa7:
      command_byte_ |= 0x20;
      break;
    case 0xa8:
      command_byte_ &= 0xdf;
      break;
    case 0xaa:  // self-test passed
      answer(0x55);
      break;
    case 0xa9:
    case 0xab:  // interface tests: clock line stuck low, there is no device
      answer(0x01);
      break;
    case 0xad:
      command_byte_ |= 0x10;
      break;
    case 0xae:
      command_byte_ &= 0xef;
      break;
    case 0xd0:
      answer(output_port_);
      break;
    case 0xd1:
      expect_ = Expect::kOutputPort;
      break;
    case 0xd2:
    case 0xd3:
    case 0xd4:
      expect_ = Expect::kOther;
      break;
    case 0xdd:
      set_a20(false);
      break;
    case 0xdf:
      set_a20(true);
      break;
    default:
      // F0h-FFh pulse the output lines whose bit is clear; line 0 is reset.
      return value >= 0xf0 && (value & 0x01) == 0;
  }
  return false;
}

}  // namespace archelon::devices
