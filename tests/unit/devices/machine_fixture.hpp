#pragma once

#include <string>
#include <vector>

#include "hv/devices/machine.hpp"

namespace archelon::devices {

// A run loop that only remembers what it was asked.
struct FakeHost {
  struct Startup {
    unsigned cpu;
    std::uint8_t vector;
  };
  struct Power {
    PowerEvent event;
    std::uint32_t code;
  };
  void kick(unsigned cpu) { kicks.push_back(cpu); }
  void init_cpu(unsigned cpu) { inits.push_back(cpu); }
  void startup_cpu(unsigned cpu, std::uint8_t vector) { startups.push_back({cpu, vector}); }
  void nmi_cpu(unsigned cpu) { nmis.push_back(cpu); }
  void console_output(std::uint8_t byte) { console.push_back(static_cast<char>(byte)); }
  void debug_output(std::uint8_t byte) { debug.push_back(static_cast<char>(byte)); }
  void power(PowerEvent event, std::uint32_t code) { powers.push_back({event, code}); }

  std::vector<unsigned> kicks;
  std::vector<unsigned> inits;
  std::vector<unsigned> nmis;
  std::vector<Startup> startups;
  std::vector<Power> powers;
  std::string console;
  std::string debug;
};

inline constexpr std::uint64_t kTestWallClock = 1'700'000'000;  // 2023-11-14 22:13:20 UTC

inline MachineConfig test_config() {
  return {.cpus = 2,
          .memory_bytes = 512u << 20,
          .tsc_hz = 2'000'000'000,
          .wall_clock_seconds = kTestWallClock,
          .debugcon_port = 0xe9,
          .debug_exit_port = 0xf4};
}

// A machine with a clock that the test moves, and the accesses a guest would make.
struct TestMachine {
  explicit TestMachine(const MachineConfig& config = test_config()) : machine(host, config, 0) {}

  std::uint8_t in(std::uint16_t port) {
    return static_cast<std::uint8_t>(machine.io_read(port, 1, now));
  }
  std::uint32_t in4(std::uint16_t port) { return machine.io_read(port, 4, now); }
  void out(std::uint16_t port, std::uint32_t value) { machine.io_write(port, 1, value, now); }
  void out4(std::uint16_t port, std::uint32_t value) { machine.io_write(port, 4, value, now); }
  std::uint32_t apic(unsigned offset, unsigned cpu = 0) {
    return static_cast<std::uint32_t>(machine.mmio_read(cpu, kLapicBase + offset, 4, now));
  }
  void set_apic(unsigned offset, std::uint32_t value, unsigned cpu = 0) {
    machine.mmio_write(cpu, kLapicBase + offset, 4, value, now);
  }
  void ioapic(unsigned index, std::uint32_t value) {
    machine.mmio_write(0, kIoapicBase, 4, index, now);
    machine.mmio_write(0, kIoapicBase + 0x10, 4, value, now);
  }
  std::uint32_t ioapic(unsigned index) {
    machine.mmio_write(0, kIoapicBase, 4, index, now);
    return static_cast<std::uint32_t>(machine.mmio_read(0, kIoapicBase + 0x10, 4, now));
  }
  // Moves the clock on, stopping at each deadline as a run loop would.
  void run_to(std::uint64_t ns) {
    while (machine.next_deadline_ns() <= ns) {
      now = std::max(now, machine.next_deadline_ns());
      machine.advance(now);
    }
    now = ns;
  }

  FakeHost host;
  std::uint64_t now = 0;
  Machine<FakeHost> machine;
};

}  // namespace archelon::devices
