#include "hv/devices/acpi_pm.hpp"

namespace archelon::devices {
namespace {

constexpr std::uint16_t kEnableKnown = 0x0721;
constexpr std::uint16_t kControlSciEnable = 0x0001;
constexpr std::uint16_t kControlKept = 0x1c02;  // SLP_TYP and BM_RLD
constexpr unsigned kHalfTurnShift = 31;

std::uint16_t with_byte(std::uint16_t word, unsigned index, std::uint8_t value) {
  const unsigned shift = index * 8;
  return static_cast<std::uint16_t>((word & ~(0xffu << shift)) | unsigned{value} << shift);
}

std::uint8_t byte_of(std::uint64_t word, unsigned index) {
  return static_cast<std::uint8_t>(word >> index * 8);
}

}  // namespace

void AcpiPm::advance(std::uint64_t now_ns) {
  const std::uint64_t half_turns = ns_to_ticks(now_ns, kPmTimerHz) >> kHalfTurnShift;
  if (half_turns > half_turns_) {
    status_ |= kTimer;
    half_turns_ = half_turns;
  }
}

std::uint64_t AcpiPm::next_deadline_ns() const {
  if ((enable_ & kTimer) == 0 || (status_ & kTimer) != 0) {
    return kNever;
  }
  return ticks_to_ns((half_turns_ + 1) << kHalfTurnShift, kPmTimerHz);
}

std::uint8_t AcpiPm::read(unsigned offset, std::uint64_t now_ns) {
  switch (offset) {
    case 0:
    case 1:
      advance(now_ns);
      return byte_of(status_, offset);
    case 2:
    case 3:
      return byte_of(enable_, offset - 2);
    case 4:
    case 5:
      return byte_of(control_ | kControlSciEnable, offset - 4);
    case 8:
    case 9:
    case 10:
    case 11:
      return byte_of(timer(now_ns), offset - 8);
    default:
      return 0xff;
  }
}

std::optional<unsigned> AcpiPm::write(unsigned offset, std::uint8_t value, std::uint64_t now_ns) {
  switch (offset) {
    case 0:
    case 1:
      advance(now_ns);
      status_ = static_cast<std::uint16_t>(status_ & ~(unsigned{value} << offset * 8));
      break;
    case 2:
    case 3:
      advance(now_ns);
      enable_ = with_byte(enable_, offset - 2, value) & kEnableKnown;
      break;
    case 4:
      control_ = with_byte(control_, 0, value) & kControlKept;
      break;
    case 5:
      control_ = with_byte(control_, 1, value) & kControlKept;
      if ((value & 0x20) != 0) {  // SLP_EN
        return value >> 2 & 7;
      }
      break;
    default:  // the timer is read-only
      break;
  }
  return std::nullopt;
}

void AcpiPm::reset(std::uint64_t now_ns) {
  *this = AcpiPm();
  half_turns_ = ns_to_ticks(now_ns, kPmTimerHz) >> kHalfTurnShift;
}

}  // namespace archelon::devices
