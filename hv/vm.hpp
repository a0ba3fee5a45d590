#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hv/arch/cpuid_policy.hpp"
#include "hv/devices/machine.hpp"
#include "hv/guest/boot_state.hpp"
#include "hv/guest/config.hpp"
#include "hv/hw/spinlock.hpp"
#include "hv/guest/layout.hpp"
#include "hv/nested/shadow.hpp"
#include "hv/shell/line_buffer.hpp"
#include "hv/shell/vm_console.hpp"
#include "hv/system.hpp"
#include "hv/vcpu.hpp"
#include "hv/vm_memory.hpp"

namespace archelon::hv {

inline constexpr unsigned kMaxVcpus = 16;

// L0's consoles as the VM called `name` writes to them. A shell::VmConsoleSink.
struct VmConsoleOutput {
  std::string_view name;

  void line(std::string_view text);
  void record(std::string_view text);
  void unfinished(std::string_view text);
  void raw(std::string_view text);
  [[nodiscard]] std::uint32_t interruptions() const;
};

enum class VmState : std::uint8_t { kDefined, kRunning, kRestarting, kEnded, kStopped };

// A virtual machine of level 1: its memory, EPT01, devices and vCPUs.
class Vm {
 public:
  Vm(std::string_view name, unsigned number) : name(name), number(number) {}
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  // What the devices ask of the vCPUs and of the console. Called with `devices_lock` held.
  class Host {
   public:
    explicit Host(Vm& vm) : vm_(&vm) {}
    void kick(unsigned cpu);
    void init_cpu(unsigned cpu);
    void startup_cpu(unsigned cpu, std::uint8_t vector);
    void nmi_cpu(unsigned cpu);
    void console_output(std::uint8_t byte);
    void debug_output(std::uint8_t byte);
    void power(devices::PowerEvent event, std::uint32_t code);

   private:
    Vm* vm_;
  };
  using Machine = devices::Machine<Host>;

  const std::string_view name;
  const unsigned number;  // among the machine's VMs, from 0

  guest::MemoryLayout layout;
  std::optional<Hpa> backing;  // of all its RAM, one block
  VmMemory memory;
  LockedFrames frames;
  std::optional<nested::Ept01> ept01;
  std::uint64_t eptp01 = 0;
  nested::VmShadow shadow;

  hw::Spinlock devices_lock;  // around `machine`, `console` and `debug_console`
  std::optional<Machine> machine;
  Host host{*this};
  shell::VmConsole console;
  shell::LineBuffer debug_console;

  arch::CpuidTable cpuid;
  unsigned vcpu_count = 0;
  Vcpu* vcpus[kMaxVcpus] = {};

  // Set once by whoever ends the VM; its vCPUs stop at their next look at `work::kStop`.
  std::atomic<VmState> state = VmState::kDefined;
  std::atomic<unsigned> running_vcpus = 0;
  // The power event that a device reported, taken by the run loop. Under devices_lock.
  std::optional<devices::PowerEvent> power_event;
  std::uint32_t power_code = 0;
  const guest::VmConfig* config = nullptr;
  std::string_view end_reason;  // set by whoever moved `state` away from kRunning

  // Prints what the guest left unfinished. Under devices_lock.
  void flush_consoles();
};

// Ends the VM on purpose (`how`: "power-off", ...) or because it cannot go on (`why`). Only the
// first call for a VM counts. Callable from any of its vCPUs.
void end_vm(Vm& vm, std::string_view how);
void stop_vm(Vm& vm, std::string_view why);

}  // namespace archelon::hv
