#include <catch2/catch.hpp>
#include <cstdint>
#include <random>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

namespace {

// Ports that something decodes, and their neighbours, come up far more often than the rest.
std::uint16_t random_port(std::mt19937_64& random) {
  constexpr std::uint16_t kBlocks[] = {0x20, 0x40, 0x60,  0x70,  0x80,  0x90,  0xa0,
                                       0xe8, 0xf0, 0x3f8, 0x4d0, 0x600, 0x608, 0xcf8};
  if (random() % 8 == 0) {
    return static_cast<std::uint16_t>(random());
  }
  return static_cast<std::uint16_t>(kBlocks[random() % std::size(kBlocks)] + random() % 10);
}

std::uint64_t random_value(std::mt19937_64& random) {
  const std::uint64_t value = random();
  return random() % 2 == 0 ? value : value & 0xff;
}

void access(TestMachine& m, std::mt19937_64& random) {
  const auto size = 1u << random() % 4;
  const auto cpu = static_cast<unsigned>(random() % 2);
  const Gpa1 address = (random() % 3 == 0 ? kIoapicBase : kLapicBase) + random() % 4096;
  const std::uint64_t value = random_value(random);
  switch (random() % 10) {
    case 0:
    case 1:
      (void)m.machine.io_read(random_port(random), std::min(size, 4u), m.now);
      break;
    case 2:
    case 3:
      m.machine.io_write(random_port(random), std::min(size, 4u), static_cast<std::uint32_t>(value),
                         m.now);
      break;
    case 4:
      (void)m.machine.mmio_read(cpu, address, size, m.now);
      break;
    case 5:
      m.machine.mmio_write(cpu, address.align_down(random() % 4 == 0 ? 1 : 16), size, value, m.now);
      break;
    case 6:
      (void)m.machine.x2apic_read(cpu, 0x800 + random() % 256, m.now);
      break;
    case 7:
      (void)m.machine.x2apic_write(cpu, 0x800 + random() % 64, value, m.now);
      break;
    case 8:
      (void)m.machine.set_apic_base(
          cpu, (value & 0xd00) | (random() % 8 == 0 ? value : kLapicBase.value()));
      break;
    default:
      m.machine.set_tsc_deadline(cpu, random(), random(), m.now);
      break;
  }
}

}  // namespace

TEST_CASE("no sequence of guest accesses breaks the machine") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937_64 random(seed);
    TestMachine m;
    for (unsigned step = 0; step < 20'000; ++step) {
      access(m, random);
      m.now += random() % 64 == 0 ? random() % 3'000'000'000 : random() % 100'000;
      m.machine.advance(m.now);
      // advance() leaves nothing due: a run loop that waits for the deadline makes progress.
      REQUIRE(m.machine.next_deadline_ns() > m.now);
      for (unsigned cpu = 0; cpu < 2; ++cpu) {
        const auto pending = m.machine.pending_interrupt(cpu);
        if (pending && random() % 2 == 0) {
          REQUIRE(m.machine.acknowledge_interrupt(cpu) == pending);
        }
      }
      if (m.host.kicks.size() > 1000) {
        m.host = FakeHost();
      }
      if (random() % 4096 == 0) {
        m.machine.reset(m.now);
      }
    }
  }
}
