#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "hv/arch/cr.hpp"
#include "hv/arch/exception.hpp"
#include "hv/arch/msr_bank.hpp"
#include "hv/arch/registers.hpp"
#include "hv/base/address.hpp"
#include "hv/guest/boot_state.hpp"
#include "vmx/exit.hpp"
#include "vmx/exit_counters.hpp"
#include "vmx/hw/vmcs.hpp"

namespace archelon::hv {

class Vm;
namespace nested {
class Engine;
}

// What a vCPU waits for, if anything.
enum class Activity : std::uint8_t { kRunning, kHalted, kWaitForSipi, kStopped };

// Requests to a vCPU from devices and other vCPUs: bits set by anyone, taken by its own CPU.
namespace work {
inline constexpr std::uint32_t kInterrupts = 1u << 0;  // look at the interrupt controllers again
inline constexpr std::uint32_t kNmi = 1u << 1;
inline constexpr std::uint32_t kInit = 1u << 2;
inline constexpr std::uint32_t kSipi = 1u << 3;
inline constexpr std::uint32_t kStop = 1u << 4;         // the VM ends
inline constexpr std::uint32_t kShadowFlush = 1u << 5;  // shadow EPT tables were dropped
inline constexpr std::uint32_t kSnapshot = 1u << 6;     // the shell asks for a VMCS
}  // namespace work

// Guest state that stays in the CPU while this vCPU is the last that ran there: L0 uses none of it,
// so it is swapped when another vCPU takes over, not at each exit.
struct LiveState {
  std::uint64_t cr2 = 0;
  std::uint64_t dr[4] = {};
  std::uint64_t dr6 = arch::dr6::kReset;
  std::uint64_t xcr0 = arch::xcr0::kX87;
  std::uint64_t xss = 0;
  std::uint64_t star = 0, lstar = 0, cstar = 0, fmask = 0, kernel_gs_base = 0, tsc_aux = 0;
  std::uint64_t spec_ctrl = 0;
};

// A virtual CPU: L1's registers that the VMCS does not keep, VMCS01, pending events, and the nested
// state with its VMCS02s. Pinned to one CPU, which alone touches everything but `work_`.
class Vcpu {
 public:
  Vcpu(Vm& vm, unsigned index, unsigned cpu) : vm(vm), index(index), cpu(cpu) {}
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  // The VMCS that runs now: VMCS01, or the VMCS02 of the L2 that is running.
  [[nodiscard]] vmx::native::Vmcs& vmcs() { return *vmcs_; }
  void use_vmcs(vmx::native::Vmcs& vmcs) {
    vmcs_ = &vmcs;
    vmcs.make_current();
  }

  // Asks the vCPU for something and makes its CPU look. Callable from any CPU.
  void request(std::uint32_t what);
  [[nodiscard]] bool has_work() const { return work_.load(std::memory_order_acquire) != 0; }
  [[nodiscard]] std::uint32_t work() const { return work_.load(std::memory_order_acquire); }
  // Takes back one request; true if it was there.
  bool take(std::uint32_t what) {
    return (work_.fetch_and(~what, std::memory_order_acq_rel) & what) != 0;
  }

  Vm& vm;
  const unsigned index;  // within the VM; also the APIC ID
  const unsigned cpu;    // the machine's CPU it is pinned to

  arch::Gprs gprs;
  Hpa vmcs01_region;  // taken when the VM is built: another VM must not be able to use it up
  vmx::native::Vmcs vmcs01;
  Activity activity = Activity::kWaitForSipi;
  std::atomic<std::uint8_t> sipi_vector = 0;
  // What the next entry delivers: an interrupted delivery or an exception of L0's making.
  vmx::EntryEvent event;
  bool nmi_pending = false;

  LiveState saved;
  // Set by load_vm: the next run begins with start_state in a new VMCS01.
  bool fresh = false;
  guest::BootState start_state;
  std::byte* xsave_area = nullptr;
  arch::MsrBank msrs;
  std::uint64_t tsc_offset = 0;  // L1's TSC is the machine's plus this

  nested::Engine* nested = nullptr;
  vmx::ExitCounters counters;

 private:
  vmx::native::Vmcs* vmcs_ = &vmcs01;
  std::atomic<std::uint32_t> work_ = 0;
};

}  // namespace archelon::hv
