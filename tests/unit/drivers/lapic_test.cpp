#include "drivers/lapic.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <utility>
#include <vector>

#include "drivers/ioapic.hpp"
#include "drivers/pic8259.hpp"
#include "drivers/tick_scale.hpp"

using namespace archelon;
using namespace archelon::drivers;
using Reg = LapicRegister;

namespace {

struct FakeLapic {
  LapicMode lapic_mode = LapicMode::kXapic;
  std::map<Reg, std::uint32_t> registers{{Reg::kVersion, 0x00060015}, {Reg::kId, 0x03000000}};
  std::vector<std::pair<Reg, std::uint32_t>> writes;
  std::vector<std::uint64_t> icr64;
  std::uint64_t deadline = 0;
  int busy_polls = 0;  // the ICR is pending for that many reads after a command
  int left = 0;
};

struct Port {
  FakeLapic* f = nullptr;
  LapicMode mode() const { return f->lapic_mode; }
  std::uint32_t read(Reg r) const {
    if (r == Reg::kInterruptCommand && f->left != 0) {
      --f->left;
      return f->registers[r] | lapic::kIcrPending;
    }
    return f->registers[r];
  }
  void write(Reg r, std::uint32_t v) const {
    f->registers[r] = v;
    f->writes.emplace_back(r, v);
    if (r == Reg::kInterruptCommand) {
      f->left = f->busy_polls;
    }
  }
  void write_icr(std::uint64_t v) const { f->icr64.push_back(v); }
  void write_tsc_deadline(std::uint64_t v) const { f->deadline = v; }
  void relax() const {}
};

}  // namespace

TEST_CASE("LAPIC mode: what firmware left on stays, x2APIC only where it is needed") {
  constexpr std::uint64_t kOn = 0xfee00900;
  CHECK(choose_lapic_mode(kOn, true, 3) == LapicMode::kXapic);
  CHECK(choose_lapic_mode(kOn | 0x400, true, 3) == LapicMode::kX2apic);
  CHECK(choose_lapic_mode(kOn, true, 0xfe) == LapicMode::kXapic);
  CHECK(choose_lapic_mode(kOn, true, 0xff) == LapicMode::kX2apic);
  CHECK(choose_lapic_mode(kOn, false, 0x200) == LapicMode::kXapic);
  CHECK(apic_base_for(0xfee00100, LapicMode::kXapic) == 0xfee00900);
  CHECK(apic_base_for(0xfee00900, LapicMode::kX2apic) == 0xfee00d00);
}

TEST_CASE("Enabling masks each LVT entry that exists, after the software enable") {
  FakeLapic f;
  Lapic<Port> lapic(Port{&f});
  lapic.enable(0xff);
  CHECK(f.registers[Reg::kSpurious] == 0x1ff);
  for (const Reg r : {Reg::kLvtTimer, Reg::kLvtLint0, Reg::kLvtLint1, Reg::kLvtError,
                      Reg::kLvtPerformance, Reg::kLvtThermal, Reg::kLvtCmci}) {
    CHECK(f.registers[r] == 0x10000);
  }
  CHECK(f.writes[1].first == Reg::kSpurious);
  CHECK(lapic.id() == 3);
  lapic.set_nmi_pin(1);
  CHECK(f.registers[Reg::kLvtLint1] == 0x400);

  FakeLapic old;
  old.registers[Reg::kVersion] = 0x00030010;  // four entries: no CMCI, thermal, performance
  Lapic<Port>(Port{&old}).enable(0xf0);
  CHECK(old.registers.count(Reg::kLvtCmci) == 0);
  CHECK(old.registers.count(Reg::kLvtPerformance) == 0);
}

TEST_CASE("IPIs in xAPIC mode: destination first, waits bounded") {
  FakeLapic f;
  Lapic<Port> lapic(Port{&f});
  f.busy_polls = 100;
  CHECK(lapic.send_init(5));
  REQUIRE(f.writes.size() == 2);
  CHECK(f.writes[0] == std::pair(Reg::kInterruptCommandHigh, 0x05000000U));
  CHECK(f.writes[1] == std::pair(Reg::kInterruptCommand, 0x0000c500U));
  CHECK(lapic.send_startup(5, 0x8000));
  CHECK(f.writes[3].second == 0x4608);
  CHECK(lapic.send_fixed(1, 0x41));
  CHECK(f.writes[5].second == 0x4041);
  CHECK(lapic.send_nmi(1));
  CHECK(f.writes[7].second == 0x4400);
  CHECK_FALSE(lapic.send_nmi(0x1ff));
  CHECK(f.writes.size() == 8);
  f.busy_polls = -1;  // for ever
  CHECK_FALSE(lapic.send_nmi(1));
}

TEST_CASE("IPIs in x2APIC mode are one write with a 32-bit destination") {
  FakeLapic f;
  f.lapic_mode = LapicMode::kX2apic;
  f.registers[Reg::kId] = 0x120;
  Lapic<Port> lapic(Port{&f});
  CHECK(lapic.id() == 0x120);
  CHECK(lapic.send_startup(0x120, 0x9f000));
  REQUIRE(f.icr64.size() == 1);
  CHECK(f.icr64[0] == 0x0000'0120'0000'469f);
  CHECK(f.writes.empty());
}

TEST_CASE("The timer") {
  FakeLapic f;
  Lapic<Port> lapic(Port{&f});
  lapic.start_one_shot(0xe0, 1000);
  CHECK(f.registers[Reg::kTimerDivide] == 0xb);
  CHECK(f.writes.back() == std::pair(Reg::kTimerInitial, 1000U));  // the write that starts it
  CHECK(f.registers[Reg::kLvtTimer] == 0xe0);
  lapic.stop_timer();
  CHECK(f.registers[Reg::kLvtTimer] == 0x10000);
  lapic.use_tsc_deadline(0xe0);
  CHECK(f.registers[Reg::kLvtTimer] == 0x400e0);
  lapic.set_deadline(0x123456789abc);
  CHECK(f.deadline == 0x123456789abc);
  CHECK(one_shot_count(0) == 1);
  CHECK(one_shot_count(77) == 77);
  CHECK(one_shot_count(0x100000000) == 0xffffffff);
}

TEST_CASE("Tick scales") {
  const TickScale ns(1'000'000'000, 3'504'000'000);
  CHECK(ns.convert(3'504'000'000) == 999'999'999);
  CHECK(ns.convert(3'504'000'000ULL * 86400) / 1'000'000 == 86'399'999);  // a day, 57 us short
  const TickScale bus(100, 3504);
  CHECK(bus.convert(35040) == 999);
  CHECK(TickScale(3, 1).convert(~0ULL) == ~0ULL);
  CHECK(TickScale(1, 1).convert(~0ULL) == ~0ULL);
  CHECK(TickScale(2, 1).convert(5) == 10);
  CHECK_FALSE(TickScale(5, 0).valid());
  CHECK(TickScale(5, 0).convert(1000) == 0);
}

namespace {

struct FakeIoApic {
  std::uint32_t index = 0;
  std::map<std::uint32_t, std::uint32_t> registers{{1, 0x00170011}};
  std::vector<std::pair<std::uint32_t, std::uint32_t>> writes;
};
struct Region {
  FakeIoApic* f = nullptr;
  std::uint32_t read32(std::uint64_t offset) const {
    REQUIRE(offset == 0x10);
    return f->registers[f->index];
  }
  void write32(std::uint64_t offset, std::uint32_t v) const {
    if (offset == 0) {
      f->index = v;
    } else {
      f->registers[f->index] = v;
      f->writes.emplace_back(f->index, v);
    }
  }
};

}  // namespace

TEST_CASE("IOAPIC: all masked, one routed, its low half last") {
  FakeIoApic f;
  IoApic<Region> ioapic(Region{&f});
  CHECK(ioapic.inputs() == 24);
  ioapic.mask_all();
  for (std::uint32_t i = 0; i < 24; ++i) {
    CHECK(f.registers[0x10 + 2 * i] == 0x10000);
    CHECK(f.registers[0x11 + 2 * i] == 0);
  }
  f.writes.clear();
  CHECK(ioapic.route(4, {.vector = 0x31, .destination = 2, .level = true, .active_low = true}));
  REQUIRE(f.writes.size() == 3);
  CHECK(f.writes[0] == std::pair(0x18U, 0x10000U));
  CHECK(f.writes[1] == std::pair(0x19U, 0x02000000U));
  CHECK(f.writes[2] == std::pair(0x18U, 0xa031U));
  ioapic.mask(4);
  CHECK(f.registers[0x18] == 0x1a031);
  CHECK_FALSE(ioapic.route(24, {}));
  f.registers[1] = 0xffffffff;  // nothing there
  CHECK(ioapic.inputs() == 0);
  f.registers[1] = 0x00ff0020;
  CHECK(ioapic.inputs() == 120);
}

TEST_CASE("The 8259s end up initialised and masked") {
  struct Ports {
    std::vector<std::pair<std::uint16_t, std::uint8_t>> out;
    std::uint8_t in8(std::uint16_t) { return 0xff; }
    std::uint16_t in16(std::uint16_t) { return 0xffff; }
    std::uint32_t in32(std::uint16_t) { return ~0U; }
    void out8(std::uint16_t p, std::uint8_t v) { out.emplace_back(p, v); }
    void out16(std::uint16_t, std::uint16_t) {}
    void out32(std::uint16_t, std::uint32_t) {}
  } ports;
  disable_8259(ports, 0xe0);
  REQUIRE(ports.out.size() == 12);
  CHECK(ports.out[1] == std::pair<std::uint16_t, std::uint8_t>(0x20, 0x11));
  CHECK(ports.out[2] == std::pair<std::uint16_t, std::uint8_t>(0x21, 0xe0));
  CHECK(ports.out[5] == std::pair<std::uint16_t, std::uint8_t>(0x21, 0xff));
  CHECK(ports.out[8] == std::pair<std::uint16_t, std::uint8_t>(0xa1, 0xe8));
  CHECK(ports.out[11] == std::pair<std::uint16_t, std::uint8_t>(0xa1, 0xff));
}
