#pragma once

#include <cstdint>
#include <optional>

#include "hv/devices/time.hpp"

namespace archelon::devices {

inline constexpr std::uint64_t kPmTimerHz = 3'579'545;

// The ACPI fixed hardware (ACPI, "ACPI Hardware Specification"): PM1a event and control blocks and
// a 32-bit PM timer, always in ACPI mode. Offsets are from kPmPort.
class AcpiPm {
 public:
  [[nodiscard]] std::uint8_t read(unsigned offset, std::uint64_t now_ns);
  [[nodiscard]] static std::uint32_t timer(std::uint64_t now_ns) {
    return static_cast<std::uint32_t>(ns_to_ticks(now_ns, kPmTimerHz));
  }
  // The sleep type, when the write enters a sleep state.
  [[nodiscard]] std::optional<unsigned> write(unsigned offset, std::uint8_t value,
                                              std::uint64_t now_ns);
  void press_power_button() { status_ |= kPowerButton; }

  // The SCI's level.
  [[nodiscard]] bool line() const { return (status_ & enable_ & kSources) != 0; }
  [[nodiscard]] std::uint64_t next_deadline_ns() const;
  void advance(std::uint64_t now_ns);
  void reset(std::uint64_t now_ns);

 private:
  static constexpr std::uint16_t kTimer = 0x0001;
  static constexpr std::uint16_t kPowerButton = 0x0100;
  static constexpr std::uint16_t kSources = kTimer | kPowerButton;

  std::uint16_t status_ = 0;
  std::uint16_t enable_ = 0;
  std::uint16_t control_ = 0;
  std::uint64_t half_turns_ = 0;  // changes of the timer's top bit that status_ has seen
};

}  // namespace archelon::devices
