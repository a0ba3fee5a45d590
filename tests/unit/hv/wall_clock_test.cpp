#include "hv/wall_clock.hpp"

#include <catch2/catch.hpp>

using archelon::hv::ClockRegisters;
using archelon::hv::unix_time;

namespace {

constexpr std::uint8_t kBcd24 = 0x02;
constexpr std::uint8_t kBcd12 = 0x00;
constexpr std::uint8_t kBinary24 = 0x06;
constexpr std::uint8_t kBinary12 = 0x04;
constexpr std::uint8_t kAfternoon = 0x80;

// 2024-02-29 23:58:59 UTC.
constexpr ClockRegisters kLeapDay{0x59, 0x58, 0x23, 0x29, 0x02, 0x24};
constexpr std::uint64_t kLeapDaySeconds = 1'709'251'139;

// Whether `change` turns the leap day into no date at all.
template <class F>
bool is_refused(F change) {
  ClockRegisters r = kLeapDay;
  change(r);
  return unix_time(r, kBcd24) == 0;
}

}  // namespace

TEST_CASE("a reading is the same time in every format of the registers") {
  CHECK(unix_time(kLeapDay, kBcd24) == kLeapDaySeconds);
  CHECK(unix_time({59, 58, 23, 29, 2, 24}, kBinary24) == kLeapDaySeconds);
  CHECK(unix_time({0x59, 0x58, 0x11 | kAfternoon, 0x29, 0x02, 0x24}, kBcd12) == kLeapDaySeconds);
  CHECK(unix_time({59, 58, 11 | kAfternoon, 29, 2, 24}, kBinary12) == kLeapDaySeconds);
  CHECK(unix_time({0, 0, 0, 1, 1, 0}, kBinary24) == 946'684'800);
  CHECK(unix_time({59, 59, 23, 31, 12, 99}, kBinary24) == 4'102'444'799);
}

TEST_CASE("of twelve hours, 12 is the first") {
  constexpr std::uint64_t kMidnight = 946'684'800;
  CHECK(unix_time({0, 0, 0x12, 1, 1, 0}, kBcd12) == kMidnight);
  CHECK(unix_time({0, 0, 0x01, 1, 1, 0}, kBcd12) == kMidnight + 3'600);
  CHECK(unix_time({0, 0, 0x12 | kAfternoon, 1, 1, 0}, kBcd12) == kMidnight + 12 * 3'600);
  CHECK(unix_time({0, 0, 0x11 | kAfternoon, 1, 1, 0}, kBcd12) == kMidnight + 23 * 3'600);
  CHECK(unix_time({0, 0, 0x00, 1, 1, 0}, kBcd12) == 0);
  CHECK(unix_time({0, 0, 0x13, 1, 1, 0}, kBcd12) == 0);
}

TEST_CASE("registers that are no date give no time") {
  CHECK(is_refused([](ClockRegisters& r) { r.second = 0x60; }));
  CHECK(is_refused([](ClockRegisters& r) { r.minute = 0x60; }));
  CHECK(is_refused([](ClockRegisters& r) { r.hour = 0x24; }));
  CHECK(is_refused([](ClockRegisters& r) { r.day = 0; }));
  CHECK(is_refused([](ClockRegisters& r) { r.day = 0x30; }));
  CHECK(is_refused([](ClockRegisters& r) { r.month = 0; }));
  CHECK(is_refused([](ClockRegisters& r) { r.month = 0x13; }));
  CHECK(is_refused([](ClockRegisters& r) { r.year = 0x23; }));  // and so no leap day
  CHECK(is_refused([](ClockRegisters& r) { r.year = 0xa0; }));
  CHECK(is_refused([](ClockRegisters& r) { r.second = 0x1a; }));  // no decimal digit
  CHECK(unix_time({100, 0, 0, 1, 1, 0}, kBinary24) == 0);
  CHECK(unix_time({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, kBcd24) == 0);  // no clock at all
  CHECK(unix_time({0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0xff) == 0);
}
