#pragma once

#include <cstdint>
#include <optional>

#include "hv/devices/calendar.hpp"

namespace archelon::hv {

// The registers of the machine's real-time clock (MC146818: seconds .. year).
struct ClockRegisters {
  std::uint8_t second, minute, hour, day, month, year;
  bool operator==(const ClockRegisters&) const = default;
};

namespace detail {
// A register's number; nothing where it is no pair of decimal digits.
[[nodiscard]] constexpr std::optional<unsigned> clock_number(std::uint8_t value, bool binary) {
  const unsigned tens = value >> 4;
  const unsigned ones = value & 0xfu;
  if (binary) {
    return value;
  }
  return tens > 9 || ones > 9 ? std::nullopt : std::optional(tens * 10 + ones);
}
}  // namespace detail

// Unix time of a reading; `status_b` says whether it is binary and of 24 hours. The century is the
// 21st. 0 where the registers are no date.
[[nodiscard]] constexpr std::uint64_t unix_time(ClockRegisters r, std::uint8_t status_b) {
  constexpr std::uint8_t k24Hours = 1u << 1;
  constexpr std::uint8_t kBinary = 1u << 2;
  constexpr std::uint8_t kAfternoon = 1u << 7;
  const bool twelve_hours = (status_b & k24Hours) == 0;
  const bool afternoon = twelve_hours && (r.hour & kAfternoon) != 0;
  const auto number = [status_b](std::uint8_t value) {
    return detail::clock_number(value, (status_b & kBinary) != 0).value_or(~0u);
  };
  devices::CalendarTime t;
  unsigned hour = number(twelve_hours ? r.hour & ~kAfternoon & 0xff : r.hour);
  if (twelve_hours) {
    hour = hour < 1 || hour > 12 ? ~0u : hour % 12 + (afternoon ? 12 : 0);
  }
  const unsigned year = number(r.year);
  if (year > 99 || number(r.month) > 12 || number(r.day) > 31 || hour > 23 ||
      number(r.minute) > 59 || number(r.second) > 59) {
    return 0;
  }
  t.year = static_cast<std::int32_t>(2000 + year);
  t.month = static_cast<std::uint8_t>(number(r.month));
  t.day = static_cast<std::uint8_t>(number(r.day));
  t.hour = static_cast<std::uint8_t>(hour);
  t.minute = static_cast<std::uint8_t>(number(r.minute));
  t.second = static_cast<std::uint8_t>(number(r.second));
  // A month or a day that does not exist comes back in another month.
  const std::int64_t seconds = devices::to_unix(t);
  return devices::from_unix(seconds).month == t.month ? static_cast<std::uint64_t>(seconds) : 0;
}

// Reads the machine's clock in bounded time; 0 where there is none.
[[nodiscard]] std::uint64_t read_wall_clock();

}  // namespace archelon::hv
