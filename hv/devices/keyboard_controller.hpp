#pragma once

#include <cstdint>

namespace archelon::devices {

// An 8042 with nothing plugged in (ports 60h and 64h), kept for what PC software does through it
// besides typing: CPU reset and the A20 gate. It answers at once, so that nobody waits for it. A20
// is remembered and changes no address.
class KeyboardController {
 public:
  [[nodiscard]] std::uint8_t read_data();
  [[nodiscard]] std::uint8_t read_status() const;
  // True when the write pulses the CPU's reset line.
  [[nodiscard]] bool write_data(std::uint8_t value);
  [[nodiscard]] bool write_command(std::uint8_t value);

  [[nodiscard]] bool a20() const { return (output_port_ & kA20) != 0; }
  void set_a20(bool on);
  void reset() { *this = KeyboardController(); }

 private:
  enum class Expect : std::uint8_t { kNothing, kCommandByte, kOutputPort, kOther };
  static constexpr std::uint8_t kA20 = 0x02;

  void answer(std::uint8_t value);

  std::uint8_t command_byte_ = 0x30;  // both ports disabled
  std::uint8_t output_port_ = 0x03;   // A20 on, reset line not pulled
  std::uint8_t output_ = 0;
  bool output_full_ = false;
  bool last_was_command_ = false;
  Expect expect_ = Expect::kNothing;
};

}  // namespace archelon::devices
