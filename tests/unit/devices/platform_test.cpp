#include <catch2/catch.hpp>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

namespace {
constexpr std::uint64_t kMs = 1'000'000;
}

TEST_CASE("the PM timer runs at 3.579545 MHz, 32 bits wide") {
  TestMachine m;
  m.now = kNsPerSecond;
  CHECK(m.in4(0x608) == 3'579'545);
  CHECK((m.in(0x608) | m.in(0x609) << 8) == (3'579'545 & 0xffff));
  m.now = 1300 * kNsPerSecond;
  CHECK(m.in4(0x608) == static_cast<std::uint32_t>(std::uint64_t{3'579'545} * 1300));
}

TEST_CASE("the PM timer's carry raises an SCI when it is enabled") {
  TestMachine m;
  CHECK(m.machine.next_deadline_ns(1) == kNever);
  m.out(0x602, 0x01);
  m.out(0x43, 0x30);  // the PIT silent
  const std::uint64_t carry = ticks_to_ns(std::uint64_t{1} << 31, 3'579'545);
  CHECK(m.machine.next_deadline_ns() == carry);
  m.run_to(carry);
  CHECK(m.machine.next_deadline_ns() == kNever);  // until the status is cleared
  m.out(0x600, 0x10);                             // not its bit
  CHECK((m.in(0x600) & 0x01) != 0);
  CHECK((m.in(0x600) & 0x01) != 0);
  m.out(0xa1, 0xfd);
  m.out(0x21, 0xfb);
  CHECK(m.machine.pending_interrupt(0) == 0x71);
  m.out(0x600, 0x01);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.machine.next_deadline_ns() == ticks_to_ns(std::uint64_t{2} << 31, 3'579'545));
}

TEST_CASE("S5 powers off, other sleep types and SLP_TYP alone do not") {
  TestMachine m;
  CHECK((m.machine.io_read(0x604, 2, 0) & 0x1) == 1);  // always in ACPI mode
  m.machine.io_write(0x604, 2, 5 << 10, 0);
  m.machine.io_write(0x604, 2, 1 << 10 | 1 << 13, 0);
  CHECK(m.host.powers.empty());
  m.machine.io_write(0x604, 2, 5 << 10 | 1 << 13, 0);
  REQUIRE(m.host.powers.size() == 1);
  CHECK(m.host.powers[0].event == PowerEvent::kPowerOff);
  CHECK(m.machine.io_read(0x604, 2, 0) == (5 << 10 | 1));
}

TEST_CASE("every way to reset a PC resets it") {
  const auto resets = [](auto&& act) {
    TestMachine m;
    act(m);
    return m.host.powers.size() == 1 && m.host.powers[0].event == PowerEvent::kReset;
  };
  CHECK(resets([](TestMachine& m) {
    m.out(0xcf9, 0x02);
    m.out(0xcf9, 0x06);
  }));
  CHECK_FALSE(resets([](TestMachine& m) { m.out(0xcf9, 0x02); }));
  CHECK_FALSE(resets([](TestMachine& m) { m.out4(0xcf8, 0x0000'0600); }));
  CHECK(resets([](TestMachine& m) { m.out(0x64, 0xfe); }));
  CHECK_FALSE(resets([](TestMachine& m) { m.out(0x64, 0xff); }));
  CHECK(resets([](TestMachine& m) { m.out(0x64, 0xf0); }));
  CHECK(resets([](TestMachine& m) {
    m.out(0x64, 0xd1);
    m.out(0x60, 0xfe);
  }));
  CHECK(resets([](TestMachine& m) { m.out(0x92, 0x01); }));
  CHECK_FALSE(resets([](TestMachine& m) { m.out(0x92, 0x02); }));
}

TEST_CASE("the 8042 is ready, tests well and has no keyboard; A20 is remembered") {
  TestMachine m;
  CHECK((m.in(0x64) & 0x03) == 0);
  m.out(0x64, 0xaa);
  CHECK((m.in(0x64) & 0x01) == 1);
  CHECK(m.in(0x60) == 0x55);
  CHECK((m.in(0x64) & 0x01) == 0);
  m.out(0x60, 0xff);  // reset of an absent keyboard: silence
  CHECK((m.in(0x64) & 0x01) == 0);
  CHECK(m.in(0x92) == 0x02);
  m.out(0x64, 0xd1);
  m.out(0x60, 0xdd);
  CHECK(m.in(0x92) == 0x00);
  m.out(0x92, 0x02);
  m.out(0x64, 0xd0);
  CHECK((m.in(0x60) & 0x02) != 0);
}

TEST_CASE("PCI configuration: one host bridge, nothing else") {
  TestMachine m;
  // Linux's check for mechanism #1.
  m.out(0xcfb, 0x01);
  m.out4(0xcf8, 0x8000'0000);
  CHECK(m.in4(0xcf8) == 0x8000'0000);
  m.machine.io_write(0xcf8, 2, 0x0001, 0);  // narrower writes are not for CONFIG_ADDRESS
  CHECK(m.in4(0xcf8) == 0x8000'0000);
  CHECK(m.in(0xcf8) == 0xff);
  CHECK(m.in4(0xcfc) == 0x1237'8086);
  CHECK(m.machine.io_read(0xcfe, 2, 0) == 0x1237);
  CHECK(m.in(0xcfd) == 0x80);
  m.out4(0xcf8, 0x8000'0008);
  CHECK(m.in4(0xcfc) == 0x0600'0002);
  m.out4(0xcf8, 0x8000'000c);
  CHECK(m.in(0xcfe) == 0x00);
  for (unsigned bar = 0x10; bar <= 0x30; bar += 4) {
    m.out4(0xcf8, 0x8000'0000 | bar);
    m.out4(0xcfc, 0xffff'ffff);
    CHECK(m.in4(0xcfc) == 0);
  }
  m.out4(0xcf8, 0x8000'0004);
  m.machine.io_write(0xcfc, 2, 0xffff, 0);
  CHECK(m.machine.io_read(0xcfc, 2, 0) == 0x0007);
  for (const std::uint32_t absent : {0x8000'0100u, 0x8000'0800u, 0x8001'0000u, 0x0000'0000u}) {
    m.out4(0xcf8, absent);
    CHECK(m.in4(0xcfc) == 0xffff'ffff);
  }
}

TEST_CASE("reset restores the machine but neither the time of day nor waiting input") {
  TestMachine m;
  m.out(0x70, 0x09);
  m.out(0x71, 0x30);
  m.out(0x3ff, 0x77);
  m.out4(0xcf8, 0x8000'0000);
  m.machine.console_input('q');
  m.set_apic(0x80, 0x50);
  m.now = 3 * kMs;
  m.machine.reset(m.now);
  m.out(0x70, 0x09);
  CHECK(m.in(0x71) == 0x30);
  CHECK(m.in(0x3ff) == 0);
  CHECK(m.in4(0xcf8) == 0);
  CHECK(m.apic(0x80) == 0);
  CHECK(m.in(0x3f8) == 'q');
}

TEST_CASE("the firmware's CMOS and the NMI mask") {
  TestMachine m;
  m.out(0x70, 0x34);
  const unsigned low = m.in(0x71);
  m.out(0x70, 0xb5);
  CHECK(m.machine.nmi_masked());
  CHECK((low | m.in(0x71) << 8) == (512 - 16) * 16);
}

TEST_CASE("the RTC interrupts by line 8") {
  TestMachine m;
  m.out(0xa1, 0xfe);
  m.out(0x21, 0xfb);
  m.out(0x70, 0x0b);
  m.out(0x71, 0x12);
  m.run_to(kNsPerSecond);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x70);
  m.out(0x70, 0x0c);
  CHECK((m.in(0x71) & 0x90) == 0x90);
}

TEST_CASE("POST codes are kept") {
  TestMachine m;
  m.out(0x80, 0x42);
  CHECK(m.in(0x80) == 0x42);
}

TEST_CASE("a PIT edge that is due counts although the guest reprograms the PIT first") {
  TestMachine m;
  m.out(0x21, 0xfe);
  m.out(0x43, 0x34);
  m.out(0x40, 0xa9);
  m.out(0x40, 0x04);
  m.now = 1'100'000;
  m.out(0x43, 0x30);
  CHECK(m.machine.pending_interrupt(0) == 0x08);
}
