#include <catch2/catch.hpp>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

namespace {

constexpr unsigned kTpr = 0x80, kPpr = 0xa0, kEoi = 0xb0, kLdr = 0xd0, kDfr = 0xe0, kSvr = 0xf0;
constexpr unsigned kEsr = 0x280, kIcrLow = 0x300, kIcrHigh = 0x310;
constexpr unsigned kLvtTimer = 0x320, kLvtLint0 = 0x350, kLvtError = 0x370;
constexpr unsigned kInitialCount = 0x380, kCurrentCount = 0x390, kDivide = 0x3e0;

// Both CPUs' APICs software-enabled.
struct Apics : TestMachine {
  explicit Apics(MachineConfig config = test_config()) : TestMachine(config) {
    for (unsigned i = 0; i < config.cpus; ++i) {
      set_apic(kSvr, 0x1ff, i);
    }
  }
  void ipi(std::uint32_t destination, std::uint32_t low, unsigned from = 0) {
    set_apic(kIcrHigh, destination << 24, from);
    set_apic(kIcrLow, low, from);
  }
};

}  // namespace

TEST_CASE("after the firmware the boot CPU passes the 8259s, the others are off") {
  TestMachine m;
  CHECK(m.machine.apic_base(0) == 0xfee0'0900);
  CHECK(m.machine.apic_base(1) == 0xfee0'0800);
  CHECK(m.apic(0x20, 1) == 0x0100'0000);
  CHECK(m.apic(0x30) == 0x0005'0014);
  CHECK(m.apic(kLvtLint0) == 0x700);
  CHECK(m.apic(kLvtLint0, 1) == 0x1'0000);
  CHECK(m.apic(kSvr, 1) == 0xff);
  m.set_apic(kLvtLint0, 0x700, 1);  // software-disabled: stays masked
  CHECK(m.apic(kLvtLint0, 1) == 0x1'0700);
}

TEST_CASE("priorities hold interrupts back until TPR and service allow them") {
  Apics m;
  m.ipi(0, 0x51);
  m.ipi(0, 0x4000 | 0x62);
  CHECK(m.apic(0x220) == 1u << 17);  // IRR, vectors 40h-5Fh
  CHECK(m.machine.acknowledge_interrupt(0) == 0x62);
  CHECK(m.apic(0x130) == 1u << 2);  // ISR, vectors 60h-7Fh
  CHECK(m.apic(kPpr) == 0x60);
  CHECK_FALSE(m.machine.has_pending(0));
  m.ipi(0, 0x6f);  // the same class does not nest
  CHECK_FALSE(m.machine.has_pending(0));
  m.ipi(0, 0x70);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x70);
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.has_pending(0));
  m.set_apic(kEoi, 0);
  CHECK(m.machine.pending_interrupt(0) == 0x6f);
  m.machine.set_cr8(0, 6);
  CHECK(m.apic(kTpr) == 0x60);
  CHECK_FALSE(m.machine.has_pending(0));
  m.set_apic(kTpr, 0x5f);
  CHECK(m.machine.cr8(0) == 5);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x6f);
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.has_pending(0));  // 51h is of TPR's class
  m.set_apic(kTpr, 0x4f);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x51);
}

TEST_CASE("IPIs by physical address, shorthand and broadcast") {
  MachineConfig config = test_config();
  config.cpus = 3;
  Apics m(config);
  const auto got = [&](std::uint8_t vector) {
    unsigned set = 0;
    for (unsigned i = 0; i < 3; ++i) {
      if (m.machine.lapic(i).irr().has(vector)) {
        set |= 1u << i;
      }
    }
    return set;
  };
  m.ipi(2, 0x41);
  CHECK(got(0x41) == 0b100);
  m.ipi(0xff, 0x42);
  CHECK(got(0x42) == 0b111);
  m.ipi(0, 0x4'0043, 1);
  CHECK(got(0x43) == 0b010);
  m.ipi(0, 0x8'0044, 1);
  CHECK(got(0x44) == 0b111);
  m.ipi(0, 0xc'0045, 1);
  CHECK(got(0x45) == 0b101);
  m.ipi(7, 0x46);
  CHECK(got(0x46) == 0);
}

TEST_CASE("logical destinations, flat and cluster") {
  Apics m;
  m.set_apic(kLdr, 0x0100'0000, 0);
  m.set_apic(kLdr, 0x0200'0000, 1);
  m.ipi(0x02, 0x841);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.machine.pending_interrupt(1) == 0x41);
  m.ipi(0x03, 0x842);
  CHECK(m.machine.pending_interrupt(0) == 0x42);
  m.set_apic(kDfr, 0x0fff'ffff, 1);
  CHECK(m.apic(kDfr, 1) == 0x0fff'ffff);
  m.set_apic(kLdr, 0x3200'0000, 1);
  m.ipi(0x12, 0x851);
  CHECK(m.machine.pending_interrupt(1) == 0x42);
  m.ipi(0x36, 0x852);
  CHECK(m.machine.pending_interrupt(1) == 0x52);
}

TEST_CASE("lowest priority goes to one CPU, the one that does the least") {
  Apics m;
  m.set_apic(kTpr, 0x20, 0);
  m.ipi(0xff, 0x151);
  CHECK_FALSE(m.machine.lapic(0).irr().has(0x51));
  CHECK(m.machine.lapic(1).irr().has(0x51));
  m.ipi(0xff, 0x150);
  CHECK(m.machine.lapic(1).irr().has(0x50));
  m.set_apic(kTpr, 0x20, 1);  // equals take turns
  m.set_apic(kTpr, 0x10, 0);
  m.ipi(0xff, 0x152);
  CHECK(m.machine.lapic(0).irr().has(0x52));
  m.set_apic(kTpr, 0x20, 0);
  m.ipi(0xff, 0x153);
  m.ipi(0xff, 0x154);
  CHECK(m.machine.lapic(1).irr().has(0x53));
  CHECK(m.machine.lapic(0).irr().has(0x54));
  CHECK_FALSE(m.machine.lapic(0).irr().has(0x53));
}

TEST_CASE("INIT, SIPI and NMI reach the vCPU, off or not") {
  TestMachine m;  // CPU 1 is software-disabled
  m.set_apic(kIcrHigh, 1u << 24);
  m.set_apic(kIcrLow, 0xc500);
  m.set_apic(kIcrLow, 0x8500);  // de-assert: nothing
  CHECK(m.host.inits == std::vector<unsigned>{1});
  m.set_apic(kIcrLow, 0x699);
  REQUIRE(m.host.startups.size() == 1);
  CHECK(m.host.startups[0].cpu == 1);
  CHECK(m.host.startups[0].vector == 0x99);
  m.set_apic(kIcrLow, 0x400);
  CHECK(m.host.nmis == std::vector<unsigned>{1});
  m.set_apic(kIcrLow, 0x31);  // fixed: not accepted while off
  CHECK(m.machine.lapic(1).irr().empty());
  m.set_apic(kIcrLow, 0xc'0500);  // INIT to all but self
  CHECK(m.host.inits.size() == 2);
}

TEST_CASE("INIT resets the APIC but not its base") {
  Apics m;
  m.set_apic(kTpr, 0x30, 1);
  m.ipi(1, 0x91);
  m.ipi(1, 0x500);
  CHECK(m.apic(kTpr, 1) == 0);
  CHECK(m.apic(kSvr, 1) == 0xff);
  CHECK(m.machine.lapic(1).irr().empty());
  CHECK(m.machine.apic_base(1) == 0xfee0'0800);
}

TEST_CASE("the timer counts down once, by its divisor") {
  Apics m;
  m.set_apic(kLvtTimer, 0xec);
  m.set_apic(kDivide, 0x3);  // 16
  m.set_apic(kInitialCount, 1000);
  CHECK(m.machine.next_deadline_ns(0) == 16'000);
  m.run_to(4'000);
  CHECK(m.apic(kCurrentCount) == 750);
  CHECK_FALSE(m.machine.has_pending(0));
  m.run_to(20'000);
  CHECK(m.machine.pending_interrupt(0) == 0xec);
  CHECK(m.apic(kCurrentCount) == 0);
  CHECK(m.machine.lapic(0).next_deadline_ns() == kNever);
  m.set_apic(kDivide, 0xb);  // 1
  m.set_apic(kInitialCount, 5'000);
  CHECK(m.machine.next_deadline_ns(0) == 25'000);
}

TEST_CASE("the periodic timer keeps its phase and a masked timer only counts") {
  Apics m;
  m.set_apic(kDivide, 0xb);
  m.set_apic(kLvtTimer, 0x2'00ec);
  m.set_apic(kInitialCount, 1'000'000);
  m.run_to(1'000'000);
  CHECK(m.machine.acknowledge_interrupt(0) == 0xec);
  m.set_apic(kEoi, 0);
  m.now = 5'300'000;  // late
  m.machine.advance(m.now);
  CHECK(m.machine.acknowledge_interrupt(0) == 0xec);
  m.set_apic(kEoi, 0);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.machine.lapic(0).next_deadline_ns() == 6'000'000);
  m.set_apic(kLvtTimer, 0x3'00ec);
  CHECK(m.machine.lapic(0).next_deadline_ns() == kNever);
  m.run_to(7'250'000);
  CHECK(m.apic(kCurrentCount) == 750'000);
  m.set_apic(kLvtTimer, 0x2'00ec);  // what expired under the mask is lost
  m.machine.advance(m.now);
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.machine.lapic(0).next_deadline_ns() == 8'000'000);
}

TEST_CASE("the TSC deadline") {
  Apics m;
  m.machine.set_tsc_deadline(0, 5'000, 1'000, m.now);  // not in this mode: ignored
  CHECK(m.machine.tsc_deadline(0) == 0);
  m.set_apic(kLvtTimer, 0x4'00ec);
  m.machine.set_tsc_deadline(0, 5'001, 1'000, 100);
  CHECK(m.machine.tsc_deadline(0) == 5'001);
  CHECK(m.machine.lapic(0).next_deadline_ns() == 100 + 2'001);  // 2 GHz, rounded up
  m.set_apic(kInitialCount, 50);
  CHECK(m.apic(kInitialCount) == 0);
  m.run_to(2'101);
  CHECK(m.machine.pending_interrupt(0) == 0xec);
  CHECK(m.machine.tsc_deadline(0) == 0);
  m.machine.set_tsc_deadline(0, 1, 1'000'000, 5'000);  // in the past: at once
  CHECK(m.machine.next_deadline_ns() == 5'000);
  m.machine.set_tsc_deadline(0, ~std::uint64_t{0}, 0, 5'000);  // centuries away
  CHECK(m.machine.lapic(0).next_deadline_ns() > 9'000'000'000'000'000'000u);
  m.set_apic(kLvtTimer, 0xec);
  CHECK(m.machine.tsc_deadline(0) == 0);
  CHECK(m.machine.lapic(0).next_deadline_ns() == kNever);
}

TEST_CASE("errors gather in ESR and raise the error interrupt") {
  Apics m;
  m.set_apic(kLvtError, 0xfe);
  m.ipi(1, 0x05);
  CHECK(m.machine.acknowledge_interrupt(0) == 0xfe);
  CHECK(m.apic(kEsr) == 0);
  m.set_apic(kEsr, 0);
  CHECK(m.apic(kEsr) == 0x20);
  m.set_apic(kEsr, 0);
  CHECK(m.apic(kEsr) == 0);
  m.set_apic(0x40, 1);
  m.set_apic(kEsr, 0);
  CHECK(m.apic(kEsr) == 0x80);
}

TEST_CASE("IA32_APIC_BASE takes only the architectural transitions") {
  TestMachine m;
  constexpr std::uint64_t kBase = 0xfee0'0000;
  constexpr std::uint64_t kOff = kBase, kX1 = kBase | 0x800, kX2 = kBase | 0xc00;
  const auto set = [&](std::uint64_t value) { return m.machine.set_apic_base(1, value).ok(); };
  CHECK_FALSE(set(kBase | 0x400));
  CHECK_FALSE(set(kX1 | 1));
  CHECK_FALSE(set(kX1 | std::uint64_t{1} << 39));
  CHECK(set(kX2));
  CHECK_FALSE(set(kX1));
  CHECK(m.machine.apic_base(1) == kX2);
  CHECK(set(kOff));
  CHECK_FALSE(set(kX2));
  CHECK(set(kX1));
  CHECK(set(0x4200'0000 | 0x800));  // moved
  CHECK(m.machine.mmio_contains(Gpa1(0x4200'0020)));
  CHECK(m.machine.mmio_read(1, Gpa1(0x4200'0020), 4, 0) == 0x0100'0000);
  CHECK(m.machine.mmio_read(0, Gpa1(0x4200'0020), 4, 0) == 0xffff'ffff);
  CHECK(m.machine.mmio_read(1, kLapicBase + 0x20, 8, 0) == ~std::uint64_t{0});

  MachineConfig config = test_config();
  config.x2apic = false;
  TestMachine old(config);
  CHECK_FALSE(old.machine.set_apic_base(0, kX2 | 0x100).ok());
}

TEST_CASE("x2APIC registers and their faults") {
  Apics m;
  CHECK_FALSE(m.machine.x2apic_read(1, 0x802, 0).ok());  // still in xAPIC mode
  REQUIRE(m.machine.set_apic_base(1, 0xfee0'0c00).ok());
  CHECK_FALSE(m.machine.mmio_read(1, kLapicBase + 0x20, 4, 0) == 0x0100'0000);
  CHECK(m.machine.x2apic_read(1, 0x802, 0).value() == 1);
  CHECK(m.machine.x2apic_read(1, 0x80d, 0).value() == 0x2);
  CHECK(m.machine.x2apic_read(1, 0x80f, 0).value() == 0x1ff);
  for (const std::uint32_t msr : {0x80bu, 0x80eu, 0x809u, 0x831u, 0x83fu, 0x804u, 0x82fu, 0x8ffu}) {
    CHECK_FALSE(m.machine.x2apic_read(1, msr, 0).ok());
  }
  const auto write = [&](std::uint32_t msr, std::uint64_t value) {
    return m.machine.x2apic_write(1, msr, value, 0).ok();
  };
  CHECK_FALSE(write(0x802, 0));
  CHECK_FALSE(write(0x80d, 0));
  CHECK_FALSE(write(0x80b, 1));
  CHECK(write(0x80b, 0));
  CHECK_FALSE(write(0x808, 0x100));
  CHECK(write(0x808, 0x20));
  CHECK_FALSE(write(0x828, 1));
  CHECK_FALSE(write(0x832, 0x8'0000));
  CHECK_FALSE(write(0x830, 0x2000));
  CHECK_FALSE(write(0x83f, 0x100));
  CHECK_FALSE(write(0x839, 0));
  CHECK(write(0x83f, 0x61));
  CHECK(m.machine.acknowledge_interrupt(1) == 0x61);
  CHECK(write(0x80b, 0));
  CHECK(write(0x830, std::uint64_t{1} << 32 | 0x71));
  CHECK(m.machine.pending_interrupt(1) == 0x71);
  CHECK(m.machine.x2apic_read(1, 0x830, 0).value() == (std::uint64_t{1} << 32 | 0x71));
  CHECK(write(0x830, std::uint64_t{0xffff'ffff} << 32 | 0x72));
  CHECK(m.machine.lapic(0).irr().has(0x72));
  CHECK(write(0x830, std::uint64_t{2} << 32 | 0x873));  // logical, cluster 0, CPU 1
  CHECK(m.machine.lapic(1).irr().has(0x73));
  CHECK(write(0x830, std::uint64_t{0x1'0002} << 32 | 0x874));  // the same of cluster 1
  CHECK_FALSE(m.machine.lapic(1).irr().has(0x74));
}

TEST_CASE("disabling the APIC by software masks its LVT, globally resets it") {
  Apics m;
  m.set_apic(kLvtTimer, 0xec);
  m.set_apic(kSvr, 0xff);
  CHECK(m.apic(kLvtTimer) == 0x1'00ec);
  m.set_apic(kSvr, 0x1ff);
  CHECK(m.apic(kLvtTimer) == 0x1'00ec);
  REQUIRE(m.machine.set_apic_base(0, 0xfee0'0100).ok());
  REQUIRE(m.machine.set_apic_base(0, 0xfee0'0900).ok());
  CHECK(m.apic(kLvtTimer) == 0x1'0000);
  CHECK(m.apic(kSvr) == 0xff);
}

TEST_CASE("parts of registers are read, only whole registers are written") {
  Apics m;
  CHECK(m.machine.mmio_read(0, kLapicBase + 0x31, 1, 0) == 0x00);
  CHECK(m.machine.mmio_read(0, kLapicBase + 0x32, 2, 0) == 0x0005);
  CHECK(m.machine.mmio_read(0, kLapicBase + 0x30, 8, 0) == 0x0005'0014);
  CHECK(m.machine.mmio_read(0, kLapicBase + 0x34, 4, 0) == 0);
  m.machine.mmio_write(0, kLapicBase + kTpr, 1, 0x40, 0);
  m.machine.mmio_write(0, kLapicBase + kTpr + 4, 4, 0x40, 0);
  CHECK(m.apic(kTpr) == 0);
  CHECK(m.machine.mmio_contains(kLapicBase + 0xfff));
  CHECK_FALSE(m.machine.mmio_contains(kLapicBase + 0x1000));
}

TEST_CASE("without TSC-deadline in CPUID its mode bit does not stick") {
  MachineConfig config = test_config();
  config.tsc_deadline = false;
  Apics m(config);
  m.set_apic(kLvtTimer, 0x4'00ec);
  CHECK(m.apic(kLvtTimer) == 0xec);
  m.machine.set_tsc_deadline(0, 5, 1, 0);
  CHECK(m.machine.tsc_deadline(0) == 0);
}
