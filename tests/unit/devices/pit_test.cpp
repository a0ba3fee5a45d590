#include "hv/devices/pit.hpp"

#include <catch2/catch.hpp>

using namespace archelon::devices;

namespace {

// The moment at which the counter has seen `ticks` clocks.
std::uint64_t at(std::uint64_t ticks) {
  return ticks_to_ns(ticks, kPitHz);
}

struct Box {
  Box() { pit.reset(); }
  void out(unsigned port, std::uint8_t value) { pit.write(port - 0x40, value, now); }
  unsigned in(unsigned port) { return pit.read(port - 0x40, now); }
  unsigned count(unsigned port) {
    const unsigned low = in(port);
    return low | in(port) << 8;
  }
  void load(unsigned channel, std::uint8_t control, std::uint16_t count) {
    out(0x43, static_cast<std::uint8_t>(channel << 6 | control));
    out(0x40 + channel, static_cast<std::uint8_t>(count));
    out(0x40 + channel, static_cast<std::uint8_t>(count >> 8));
  }
  Pit pit;
  std::uint64_t now = 0;
};

}  // namespace

TEST_CASE("mode 2 interrupts once per period without drift") {
  Box b;
  b.load(0, 0x34, 4773);  // 250 Hz
  unsigned edges = 0;
  while (b.pit.next_edge_ns() <= 10 * kNsPerSecond) {
    b.now = b.pit.next_edge_ns();
    edges += b.pit.take_edge(b.now) ? 1 : 0;
    REQUIRE_FALSE(b.pit.take_edge(b.now));
  }
  CHECK(edges == 10 * kPitHz / 4773);
  b.now = at(4773 * 2600 + 100);
  CHECK(b.count(0x40) == 4773 - 100);
}

TEST_CASE("periods missed while nobody looked count as one") {
  Box b;
  b.load(0, 0x34, 1193);
  CHECK(b.pit.take_edge(at(1193 * 50 + 7)));
  CHECK(b.pit.next_edge_ns() == at(1193 * 51));
}

TEST_CASE("a period too short to serve is stretched") {
  Box b;
  b.load(0, 0x34, 2);
  CHECK(b.pit.take_edge(at(2)));
  CHECK(b.pit.next_edge_ns() >= at(2) + kMinimumPeriodNs - 1000);
}

TEST_CASE("channel 2 in mode 0 times by port 61h, as TSC calibration does") {
  Box b;
  b.pit.write_port61(0x01, 0);
  b.out(0x43, 0xb0);
  CHECK((b.pit.read_port61(b.now) & 0x20) == 0);
  b.out(0x42, 0xff);
  b.out(0x42, 0xff);
  b.now = at(0x180);
  CHECK(b.count(0x42) == 0xffff - 0x180);
  b.now = at(0xfffe);
  CHECK((b.pit.read_port61(b.now) & 0x20) == 0);
  b.now = at(0xffff);
  CHECK((b.pit.read_port61(b.now) & 0x20) != 0);
  b.now = at(0x10000 + 4);
  CHECK(b.count(0x42) == 0x10000 - 5);  // it counts on
}

TEST_CASE("the gate pauses mode 0 and restarts mode 2") {
  Box b;
  b.pit.write_port61(0x01, 0);
  b.load(2, 0x30, 1000);
  b.pit.write_port61(0x00, at(300));
  b.now = at(5000);
  CHECK(b.count(0x42) == 700);
  b.pit.write_port61(0x01, b.now);
  b.now += at(200);
  CHECK(b.count(0x42) == 500);
  b.load(2, 0x34, 1000);
  b.now += at(100);
  b.pit.write_port61(0x00, b.now);
  CHECK((b.pit.read_port61(b.now) & 0x20) != 0);
  b.pit.write_port61(0x01, b.now);
  b.now += at(10);
  CHECK(b.count(0x42) == 990);
}

TEST_CASE("mode 1 waits for the gate to rise") {
  Box b;
  b.load(2, 0x32, 100);
  CHECK((b.pit.read_port61(at(500)) & 0x20) != 0);
  b.pit.write_port61(0x01, at(500));
  CHECK((b.pit.read_port61(at(599)) & 0x20) == 0);
  CHECK((b.pit.read_port61(at(600) + 1000) & 0x20) != 0);
}

TEST_CASE("latches freeze count and status; status comes first") {
  Box b;
  b.load(0, 0x36, 1000);
  b.now = at(100);
  b.out(0x43, 0x00);
  b.now = at(300);
  b.out(0x43, 0x00);  // a second latch before the first is read is ignored
  CHECK(b.count(0x40) == 800);
  b.out(0x43, 0xc2);  // read back both of channel 0
  b.now = at(450);
  CHECK(b.in(0x40) == (0x80 | 0x30 | 0x06));
  CHECK(b.count(0x40) == 400);
  b.now = at(700);
  b.out(0x43, 0xe2);
  CHECK(b.in(0x40) == (0x30 | 0x06));  // second half: output low
  b.out(0x43, 0x34);
  b.out(0x43, 0xe2);
  CHECK((b.in(0x40) & 0x40) != 0);  // null count
}

TEST_CASE("access by one byte, BCD, and counts that mean the whole range") {
  Box b;
  b.out(0x43, 0x14);
  b.out(0x40, 50);
  b.now = at(20);
  CHECK(b.in(0x40) == 30);
  CHECK(b.in(0x40) == 30);
  b.now = 0;
  b.load(0, 0x35, 0x1000);  // BCD 1000
  b.now = at(1);
  CHECK(b.count(0x40) == 0x0999);
  b.now = 0;
  b.load(0, 0x35, 0);
  CHECK(b.pit.next_edge_ns() == at(10000));
  b.load(0, 0x34, 0);
  CHECK(b.pit.next_edge_ns() == at(0x10000));
}

TEST_CASE("mode 4 interrupts once for each count written") {
  Box b;
  b.load(0, 0x38, 1000);
  CHECK_FALSE(b.pit.take_edge(at(1000)));
  CHECK(b.pit.take_edge(at(1001)));
  CHECK(b.pit.next_edge_ns() == kNever);
  b.now = at(2000);
  b.out(0x40, 0x64);
  b.out(0x40, 0x00);
  CHECK(b.pit.next_edge_ns() == at(2000) + at(101));
}

TEST_CASE("the refresh bit of port 61h toggles") {
  Box b;
  const unsigned first = b.pit.read_port61(0) & 0x10;
  CHECK((b.pit.read_port61(15'100) & 0x10) != first);
  CHECK((b.pit.read_port61(30'200) & 0x10) == first);
}

TEST_CASE("the first byte of a new count stops mode 0") {
  Box b;
  b.load(0, 0x30, 100);
  CHECK(b.pit.next_edge_ns() == at(100));
  b.out(0x40, 0x10);
  CHECK(b.pit.next_edge_ns() == kNever);
  b.out(0x40, 0x00);
  CHECK(b.pit.next_edge_ns() == at(16));
}
