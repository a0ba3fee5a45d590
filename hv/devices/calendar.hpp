#pragma once

#include <cstdint>

namespace archelon::devices {

// A moment of the proleptic Gregorian calendar, UTC.
struct CalendarTime {
  std::int32_t year = 1970;
  std::uint8_t month = 1;
  std::uint8_t day = 1;
  std::uint8_t hour = 0;
  std::uint8_t minute = 0;
  std::uint8_t second = 0;
  std::uint8_t weekday = 5;  // 1 is Sunday, as the MC146818 counts

  constexpr bool operator==(const CalendarTime&) const = default;
};

// Days since 1970-01-01. A day past the end of its month runs on into the next.
[[nodiscard]] constexpr std::int64_t days_from_civil(std::int64_t year, unsigned month,
                                                     unsigned day) {
  // Years counted from March, so that the leap day is the last of its year, in eras of 400.
  const std::int64_t y = month <= 2 ? year - 1 : year;
  const std::int64_t era = (y >= 0 ? y : y - 399) / 400;
  const std::int64_t year_of_era = y - era * 400;
  const std::int64_t month_from_march = month > 2 ? month - 3 : month + 9;
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

[[nodiscard]] constexpr std::int64_t to_unix(const CalendarTime& t) {
  return days_from_civil(t.year, t.month, t.day) * 86'400 + t.hour * 3'600 + t.minute * 60 +
         t.second;
}

[[nodiscard]] constexpr CalendarTime from_unix(std::int64_t seconds) {
  std::int64_t days = seconds / 86'400;
  std::int64_t rest = seconds % 86'400;
  if (rest < 0) {
    rest += 86'400;
    --days;
  }
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  CalendarTime t;
  t.day = static_cast<std::uint8_t>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  t.month = static_cast<std::uint8_t>(month_from_march < 10 ? month_from_march + 3
                                                            : month_from_march - 9);
  t.year = static_cast<std::int32_t>(year_of_era + era * 400 + (t.month <= 2 ? 1 : 0));
  t.hour = static_cast<std::uint8_t>(rest / 3'600);
  t.minute = static_cast<std::uint8_t>(rest / 60 % 60);
  t.second = static_cast<std::uint8_t>(rest % 60);
  t.weekday = static_cast<std::uint8_t>(((days % 7 + 7) % 7 + 4) % 7 + 1);  // day 0: a Thursday
  return t;
}

}  // namespace archelon::devices
