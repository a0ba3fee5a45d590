#include "hv/devices/rtc.hpp"

#include <catch2/catch.hpp>

using namespace archelon::devices;

namespace {

constexpr std::uint64_t kSecondNs = kNsPerSecond;
constexpr std::int64_t kStart = 1'700'000'000;  // Tuesday 2023-11-14 22:13:20 UTC

struct Clock {
  Clock() { rtc.reset(kStart, 0); }
  unsigned get(unsigned index) {
    rtc.select(static_cast<std::uint8_t>(index));
    return rtc.read(now);
  }
  void set(unsigned index, unsigned value) {
    rtc.select(static_cast<std::uint8_t>(index));
    rtc.write(static_cast<std::uint8_t>(value), now);
  }
  Rtc rtc;
  std::uint64_t now = 0;
};

}  // namespace

TEST_CASE("the calendar agrees with known dates") {
  CHECK(from_unix(0) == CalendarTime{});
  CHECK(from_unix(951'782'400) == CalendarTime{2000, 2, 29, 0, 0, 0, 3});
  CHECK(from_unix(4'102'444'799) == CalendarTime{2099, 12, 31, 23, 59, 59, 5});
  CHECK(from_unix(-1) == CalendarTime{1969, 12, 31, 23, 59, 59, 4});
  for (std::int64_t t = -3'000'000'000; t < 8'000'000'000; t += 86'400 * 13 + 7'777) {
    REQUIRE(to_unix(from_unix(t)) == t);
  }
}

TEST_CASE("the time reads in BCD and 24 hours, with the century") {
  Clock c;
  c.now = 5 * kSecondNs;
  CHECK(c.get(0) == 0x25);
  CHECK(c.get(2) == 0x13);
  CHECK(c.get(4) == 0x22);
  CHECK(c.get(6) == 3);
  CHECK(c.get(7) == 0x14);
  CHECK(c.get(8) == 0x11);
  CHECK(c.get(9) == 0x23);
  CHECK(c.get(0x32) == 0x20);
  CHECK(c.get(0x0d) == 0x80);
}

TEST_CASE("binary and 12-hour modes") {
  Clock c;
  c.set(0x0b, 0x04);
  CHECK(c.get(0) == 20);
  CHECK(c.get(4) == (0x80 | 10));
  c.set(4, 12);  // 12 AM is midnight
  c.set(0x0b, 0x02);
  CHECK(c.get(4) == 0x00);
  c.set(0x0b, 0x00);
  CHECK(c.get(4) == 0x12);
  c.set(4, 0x92);
  CHECK(c.get(4) == 0x92);
  c.set(0x0b, 0x02);
  CHECK(c.get(4) == 0x12);
}

TEST_CASE("the update flag UIP rises just before the second ends") {
  Clock c;
  c.now = kSecondNs - 300'000;
  CHECK((c.get(0x0a) & 0x80) == 0);
  c.now = kSecondNs - 100'000;
  CHECK((c.get(0x0a) & 0x80) != 0);
  c.now = kSecondNs;
  CHECK((c.get(0x0a) & 0x80) == 0);
}

TEST_CASE("a guest sets the clock, which stands while SET holds it and survives a reset") {
  Clock c;
  c.now = kSecondNs / 2;
  c.set(0x0b, 0x82);
  c.set(0, 0x58);
  c.set(2, 0x59);
  c.set(4, 0x23);
  c.set(7, 0x28);
  c.set(8, 0x02);
  c.set(9, 0x24);
  c.now += 100 * kSecondNs;
  CHECK(c.get(0) == 0x58);
  c.set(0x0b, 0x02);
  c.now += 3 * kSecondNs;
  CHECK(c.get(7) == 0x29);  // 2024 is a leap year
  CHECK(c.get(8) == 0x02);
  CHECK(c.get(4) == 0x00);
  c.rtc.reset(c.rtc.base_seconds(), c.now);
  CHECK(c.get(7) == 0x29);
  CHECK(c.get(0) == 0x01);
}

TEST_CASE("invalid fields are held to their ranges") {
  Clock c;
  c.set(8, 0xff);
  CHECK(c.get(8) == 0x12);
  c.set(7, 0x00);
  CHECK(c.get(7) == 0x01);
  c.set(0x32, 0xff);
  CHECK(c.get(0x32) == 0x99);
}

TEST_CASE("the periodic interrupt asserts until register C is read") {
  Clock c;
  c.set(0x0a, 0x26);  // 1,024 Hz
  CHECK(c.rtc.next_deadline_ns() == kNever);
  c.set(0x0b, 0x42);
  CHECK(c.rtc.next_deadline_ns() == ticks_to_ns(1, 1024));
  c.now = c.rtc.next_deadline_ns();
  c.rtc.advance(c.now);
  CHECK(c.rtc.line());
  CHECK(c.rtc.next_deadline_ns() == kNever);
  CHECK(c.get(0x0c) == 0xc0);
  CHECK_FALSE(c.rtc.line());
  CHECK(c.rtc.next_deadline_ns() == ticks_to_ns(2, 1024));
}

TEST_CASE("the update-ended interrupt comes each second") {
  Clock c;
  c.now = kSecondNs / 4;
  c.set(0x0b, 0x12);
  CHECK(c.rtc.next_deadline_ns() == kSecondNs);
  c.now = kSecondNs;
  c.rtc.advance(c.now);
  CHECK(c.rtc.line());
  CHECK((c.get(0x0c) & 0x90) == 0x90);
  CHECK(c.rtc.next_deadline_ns() == 2 * kSecondNs);
}

TEST_CASE("the alarm fires at its time, with wildcards") {
  Clock c;
  c.set(1, 0x10);
  c.set(3, 0x15);
  c.set(5, 0x22);
  c.set(0x0b, 0x22);
  CHECK(c.rtc.next_deadline_ns() == 110 * kSecondNs);  // 22:13:20 to 22:15:10
  c.now = 110 * kSecondNs;
  c.rtc.advance(c.now);
  CHECK((c.get(0x0c) & 0xa0) == 0xa0);
  CHECK(c.rtc.next_deadline_ns() == (110 + 86'400) * kSecondNs);
  c.set(5, 0xff);
  c.set(3, 0xc0);
  CHECK(c.rtc.next_deadline_ns() == 170 * kSecondNs);
  c.set(3, 0x61);  // no such minute: never
  CHECK(c.rtc.next_deadline_ns() == kNever);
}

TEST_CASE("flags are kept for a polling guest, without interrupts") {
  Clock c;
  (void)c.get(0x0c);
  c.now = kSecondNs + 1;
  CHECK(c.rtc.next_deadline_ns() == kNever);
  CHECK((c.get(0x0c) & 0xf0) == 0x50);  // update and periodic, no IRQF
  CHECK(c.get(0x0c) == 0);
}

TEST_CASE("CMOS memory tells the memory sizes and keeps what is written") {
  Clock c;
  c.rtc.describe_memory(0xc000'0000, std::uint64_t{5} << 30);
  CHECK((c.get(0x15) | c.get(0x16) << 8) == 640);
  CHECK((c.get(0x17) | c.get(0x18) << 8) == 0xffff);
  CHECK((c.get(0x34) | c.get(0x35) << 8) == (0xc000'0000u - (16u << 20)) / 65536);
  CHECK((c.get(0x5b) | c.get(0x5c) << 8 | c.get(0x5d) << 16) == 5u * 16384);
  c.rtc.describe_memory(8u << 20, 0);
  CHECK((c.get(0x30) | c.get(0x31) << 8) == 7 * 1024);
  CHECK((c.get(0x34) | c.get(0x35) << 8) == 0);
  c.set(0x0f, 0x5a);
  CHECK(c.get(0x0f) == 0x5a);
  CHECK(c.get(0x8f) == 0x5a);  // the top bit is the NMI mask
  CHECK(c.rtc.nmi_masked());
}

TEST_CASE("setting SET clears the update interrupt enable") {
  Clock c;
  c.set(0x0b, 0x92);
  CHECK(c.get(0x0b) == 0x82);
  CHECK(c.rtc.next_deadline_ns() == kNever);
}
