#pragma once

#include <cstdint>

#include "hv/devices/calendar.hpp"

namespace archelon::hv {

// The registers of the machine's real-time clock (MC146818: seconds .. year).
struct ClockRegisters {
  std::uint8_t second, minute, hour, day, month, year;
  bool operator==(const ClockRegisters&) const = default;
};

// Unix time of a reading; `status_b` says whether it is binary and of 24 hours. The century is the
// 21st. 0 where the registers are no date.
[[nodiscard]] constexpr std::uint64_t unix_time(ClockRegisters r, std::uint8_t status_b) {
  constexpr std::uint8_t kBinary = 1u << 2;
  constexpr std::uint8_t k24Hours = 1u << 1;
  constexpr std::uint8_t kAfternoon = 1u << 7;
  const bool afternoon = (status_b & k24Hours) == 0 && (r.hour & kAfternoon) != 0;
  const auto value = [status_b](std::uint8_t v) -> unsigned {
    return (status_b & kBinary) != 0 ? v : (v >> 4) * 10u + (v & 0xfu);
  };
  unsigned hour = value(r.hour & ((status_b & k24Hours) != 0 ? 0xff : 0x7f));
  if ((status_b & k24Hours) == 0) {
    hour = hour % 12 + (afternoon ? 12 : 0);
  }
  const unsigned month = value(r.month);
  const unsigned day = value(r.day);
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || value(r.minute) > 59 ||
      value(r.second) > 59 || value(r.year) > 99) {
    return 0;
  }
  const std::int64_t days =
      devices::days_from_civil(2000 + static_cast<std::int64_t>(value(r.year)), month, day);
  return static_cast<std::uint64_t>(days) * 86'400 + hour * 3'600u + value(r.minute) * 60u +
         value(r.second);
}

// Reads the machine's clock in bounded time; 0 where there is none.
[[nodiscard]] std::uint64_t read_wall_clock();

}  // namespace archelon::hv
