#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <optional>

#include "hv/devices/platform.hpp"

namespace archelon::devices {

struct MachineConfig {
  unsigned cpus = 1;  // 1 to kMaxCpus; APIC ids are 0 to cpus - 1, CPU 0 is the bootstrap processor
  std::uint64_t memory_bytes = 0;
  std::uint64_t low_memory_limit = kDefaultLowMemoryLimit;
  std::uint64_t tsc_hz = 1'000'000'000;
  std::uint64_t lapic_timer_hz = 1'000'000'000;  // before the divide configuration
  std::uint64_t wall_clock_seconds = 0;          // Unix time, UTC, when now_ns was 0
  unsigned physical_address_bits = 39;
  bool x2apic = true;        // as CPUID says to the guest
  bool tsc_deadline = true;  // as CPUID says to the guest
  // The state in which firmware hands over to an operating system (virtual wire through the boot
  // CPU's LINT0, 8259s programmed and masked, PIT ticking) rather than the power-on state.
  bool firmware_handoff = true;
  std::optional<std::uint16_t> debugcon_port;
  std::optional<std::uint16_t> debug_exit_port;

  [[nodiscard]] constexpr std::uint64_t memory_below_4g() const {
    return std::min(memory_bytes, low_memory_limit);
  }
  [[nodiscard]] constexpr std::uint64_t memory_above_4g() const {
    return memory_bytes - memory_below_4g();
  }
};

enum class PowerEvent { kPowerOff, kReset, kDebugExit };

// The exit status with which QEMU's isa-debug-exit would end for the value `raw` written to it.
[[nodiscard]] constexpr std::uint32_t debug_exit_status(std::uint32_t raw) {
  return (raw << 1) | 1;
}

// An access that the architecture answers with #GP(0).
struct Gp {};

// What a machine asks of the run loop. Every call may come from any access to the machine, with
// the caller's lock on the machine held; none may call back into the machine.
//   kick(cpu)                what that vCPU may take has changed: re-evaluate before its next entry
//                            (also called for the vCPU that causes it)
//   init_cpu, startup_cpu(cpu, vector), nmi_cpu: INIT, SIPI, NMI arrived; the local APIC's own part
//                            of INIT is done
//   console_output, debug_output: a byte from COM1, from the debug console
//   power(event, code)       code is the raw value written for kDebugExit, else 0
template <class H>
concept MachineHost = requires(H& host, unsigned cpu, std::uint8_t byte, PowerEvent event,
                               std::uint32_t code) {
  host.kick(cpu);
  host.init_cpu(cpu);
  host.startup_cpu(cpu, byte);
  host.nmi_cpu(cpu);
  host.console_output(byte);
  host.debug_output(byte);
  host.power(event, code);
};

}  // namespace archelon::devices
