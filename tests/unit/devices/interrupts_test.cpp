#include <catch2/catch.hpp>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

namespace {

constexpr unsigned kEoi = 0xb0, kSvr = 0xf0, kIcrLow = 0x300, kLint0 = 0x350;

struct Enabled : TestMachine {
  Enabled() { set_apic(kSvr, 0x1ff); }
  void entry(unsigned pin, std::uint32_t low, std::uint32_t destination = 0) {
    ioapic(0x10 + 2 * pin + 1, destination << 24);
    ioapic(0x10 + 2 * pin, low);
  }
  std::uint32_t entry(unsigned pin) { return ioapic(0x10 + 2 * pin); }
  // An SCI that stays asserted: the power button, enabled.
  void assert_sci() {
    out(0x603, 0x01);
    machine.press_power_button();
  }
  void release_sci() { out(0x601, 0x01); }
};

}  // namespace

TEST_CASE("after the firmware the PIT reaches the boot CPU through the 8259 and LINT0") {
  TestMachine m;
  m.out(0x21, 0xfe);
  m.out(0x43, 0x34);
  m.out(0x40, 0xa9);
  m.out(0x40, 0x04);  // 1 kHz
  m.run_to(1'100'000);
  CHECK(m.machine.pending_interrupt(0) == 0x08);
  CHECK_FALSE(m.machine.has_pending(1));
  CHECK(m.machine.acknowledge_interrupt(0) == 0x08);
  CHECK_FALSE(m.machine.has_pending(0));
  m.run_to(2'100'000);
  CHECK_FALSE(m.machine.has_pending(0));  // no EOI yet
  m.out(0x20, 0x20);
  CHECK(m.machine.pending_interrupt(0) == 0x08);
  m.set_apic(kLint0, 0x1'0700);
  CHECK_FALSE(m.machine.has_pending(0));
}

TEST_CASE("with the APIC globally disabled the 8259s' output is the CPU's INTR") {
  TestMachine m;
  REQUIRE(m.machine.set_apic_base(0, 0xfee0'0100).ok());
  m.out(0x21, 0xef);
  m.out(0x3fc, 0x08);
  m.out(0x3f9, 0x02);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x0c);
}

TEST_CASE("the PIT is IOAPIC pin 2, which is what check_timer wants") {
  Enabled m;
  m.entry(2, 0x30);
  m.out(0x43, 0x34);
  m.out(0x40, 0xa9);
  m.out(0x40, 0x04);
  m.run_to(1'000'500);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x30);
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.has_pending(0));
  m.run_to(2'100'000);
  CHECK(m.machine.pending_interrupt(0) == 0x30);
}

TEST_CASE("LINT0 in fixed mode and NMI mode follows the 8259s' rising output") {
  Enabled m;
  m.set_apic(kLint0, 0x39);
  m.out(0x21, 0xef);
  m.out(0x3fc, 0x08);
  m.out(0x3f9, 0x02);
  CHECK(m.machine.pending_interrupt(0) == 0x39);
  Enabled n;
  n.set_apic(kLint0, 0x400);
  n.out(0x21, 0xef);
  n.out(0x3fc, 0x08);
  n.out(0x3f9, 0x02);
  CHECK(n.host.nmis == std::vector<unsigned>{0});
}

TEST_CASE("an IOAPIC entry in ExtINT mode passes the 8259s' vector") {
  Enabled m;
  m.set_apic(kLint0, 0x1'0700);
  m.entry(0, 0x700, 1);  // to CPU 1
  m.out(0x21, 0xef);
  m.out(0x3fc, 0x08);
  m.out(0x3f9, 0x02);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.machine.acknowledge_interrupt(1) == 0x0c);
  CHECK_FALSE(m.machine.has_pending(1));
  // The next one passes by LINT0 of CPU 0 alone.
  m.entry(0, 0x1'0700, 1);
  m.set_apic(kLint0, 0x700);
  m.out(0x20, 0x20);
  m.out(0x3f8, 'x');
  CHECK(m.machine.pending_interrupt(0) == 0x0c);
  CHECK_FALSE(m.machine.has_pending(1));
}

TEST_CASE("a level-triggered interrupt is held by remote IRR until EOI and comes again") {
  Enabled m;
  m.entry(9, 0x8059);
  m.assert_sci();
  CHECK(m.machine.acknowledge_interrupt(0) == 0x59);
  CHECK(m.entry(9) == 0xc059);
  CHECK(m.apic(0x1a0) == 1u << 25);  // TMR, vectors 40h-5Fh
  m.set_apic(kEoi, 0);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x59);  // still asserted
  m.release_sci();
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.entry(9) == 0x8059);
}

TEST_CASE("a level interrupt in service does not come again before its EOI") {
  Enabled m;
  m.entry(9, 0x8059);
  m.assert_sci();
  CHECK(m.machine.acknowledge_interrupt(0) == 0x59);
  m.release_sci();
  m.assert_sci();
  CHECK_FALSE(m.machine.lapic(0).irr().has(0x59));
  m.release_sci();
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.lapic(0).irr().has(0x59));
}

TEST_CASE("TMR follows the last trigger mode: an edge's EOI does not reach the IOAPIC") {
  Enabled m;
  m.entry(9, 0x8059);
  m.assert_sci();
  CHECK(m.machine.acknowledge_interrupt(0) == 0x59);
  m.release_sci();
  m.set_apic(kIcrLow, 0x4'0059);  // the same vector as an IPI to itself
  CHECK(m.apic(0x1a0) == 0);
  m.set_apic(kEoi, 0);
  CHECK(m.entry(9) == 0xc059);
}

TEST_CASE("an NMI through a level-triggered IOAPIC entry is an edge") {
  Enabled m;
  m.entry(9, 0x8400);
  m.assert_sci();
  CHECK(m.host.nmis == std::vector<unsigned>{0});
  CHECK(m.entry(9) == 0x8400);
  m.entry(9, 0x8400);
  CHECK(m.host.nmis.size() == 1);
}

TEST_CASE("a masked level interrupt waits, a masked edge is lost") {
  Enabled m;
  m.entry(9, 0x1'8059);
  m.assert_sci();
  CHECK_FALSE(m.machine.has_pending(0));
  m.entry(9, 0x8059);
  CHECK(m.machine.pending_interrupt(0) == 0x59);
  Enabled e;
  e.entry(9, 0x1'0059);
  e.assert_sci();
  e.entry(9, 0x0059);
  CHECK_FALSE(e.machine.has_pending(0));
}

TEST_CASE("remote IRR is cleared by the EOI register and by a turn to edge mode") {
  Enabled m;
  m.entry(9, 0x8059);
  m.assert_sci();
  m.release_sci();
  CHECK(m.entry(9) == 0xc059);
  m.machine.mmio_write(0, kIoapicBase + 0x40, 4, 0x58, 0);
  CHECK(m.entry(9) == 0xc059);
  m.machine.mmio_write(0, kIoapicBase + 0x40, 4, 0x59, 0);
  CHECK(m.entry(9) == 0x8059);
  m.assert_sci();
  m.release_sci();
  m.entry(9, 0x0059);
  m.entry(9, 0x8059);
  CHECK(m.entry(9) == 0x8059);
}

TEST_CASE("IOAPIC registers") {
  Enabled m;
  CHECK(m.ioapic(0x01) == 0x0017'0020);
  m.ioapic(0x00, 0xffff'ffff);
  CHECK(m.ioapic(0x00) == 0x0f00'0000);
  CHECK(m.ioapic(0x10 + 2 * 23) == 0x1'0000);
  m.ioapic(0x10 + 2 * 23, 0xffff'ffff);
  CHECK(m.ioapic(0x10 + 2 * 23) == 0x1'afff);
  m.ioapic(0x10 + 2 * 23 + 1, 0xffff'ffff);
  CHECK(m.ioapic(0x10 + 2 * 23 + 1) == 0xff00'0000);
  CHECK(m.ioapic(0x10 + 2 * 24) == 0);
  CHECK(m.machine.mmio_contains(kIoapicBase + 0x10));
}

TEST_CASE("logical IOAPIC destinations reach an x2APIC of cluster 0") {
  Enabled m;
  m.set_apic(kSvr, 0x1ff, 1);
  REQUIRE(m.machine.set_apic_base(1, 0xfee0'0c00).ok());
  m.entry(4, 0x841, 0x02);
  m.out(0x3fc, 0x08);
  m.out(0x3f9, 0x02);
  CHECK(m.machine.pending_interrupt(1) == 0x41);
  CHECK_FALSE(m.machine.has_pending(0));
}

TEST_CASE("whoever is interrupted is kicked") {
  Enabled m;
  m.set_apic(kSvr, 0x1ff, 1);
  m.host.kicks.clear();
  m.set_apic(0x310, 1u << 24);
  m.set_apic(kIcrLow, 0x31);
  CHECK(m.host.kicks == std::vector<unsigned>{1});
}
