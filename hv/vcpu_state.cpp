#include "hv/vcpu_state.hpp"

#include "hv/arch/msr.hpp"
#include "hv/control_registers.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/live_state.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vm.hpp"
#include "hv/vmx_machine.hpp"
#include "vmx/l0_controls.hpp"

namespace archelon::hv {

using namespace vmx;

namespace {

// IA32_PAT after reset (SDM vol. 3A, "Page Attribute Table (PAT)").
constexpr std::uint64_t kPatReset = 0x0007'0406'0007'0406;

// How long a guest that keeps interrupts off can hold its CPU, in nanoseconds.
constexpr std::uint64_t kWatchdogNs = 10'000'000;

[[nodiscard]] std::uint32_t cpuid_signature() {
  return hw::cpuid(1).eax;
}

[[nodiscard]] std::uint16_t vpid(const Vcpu& vcpu, unsigned level) {
  if ((system().l0_secondary & secondary::kEnableVpid) == 0) {
    return 0;
  }
  return static_cast<std::uint16_t>(1 + (vcpu.vm.number * kMaxVcpus + vcpu.index) * 2 + level);
}
static_assert(kMaxVms * kMaxVcpus * 2 < 0xffff);

}  // namespace

std::uint16_t vpid01(const Vcpu& vcpu) {
  return vpid(vcpu, 0);
}
std::uint16_t vpid02(const Vcpu& vcpu) {
  return vpid(vcpu, 1);
}

void prepare_vmcs01(Vcpu& vcpu) {
  const System& s = system();
  native::Vmcs& vmcs = vcpu.vmcs01;
  if (vmcs.attached()) {
    vmcs.clear();
  } else {
    vmcs.attach(vcpu.vmcs01_region, s.capabilities.revision());
  }
  vcpu.use_vmcs(vmcs);
  write_host_state(vmcs);
  vmcs.write(fields::kPinControls, s.l0_pin);
  vmcs.write(fields::kPrimaryProcControls, s.l0_primary);
  vmcs.write(fields::kSecondaryProcControls, s.l0_secondary);
  vmcs.write(fields::kExitControls, s.l0_exit);
  vmcs.write(fields::kEntryControls, s.l0_entry);
  vmcs.write(fields::kExceptionBitmap, kL0ExceptionBitmap);
  vmcs.write(fields::kPageFaultErrorCodeMask, 0);
  vmcs.write(fields::kPageFaultErrorCodeMatch, 0);
  vmcs.write(fields::kCr3TargetCount, 0);
  vmcs.write(fields::kExitMsrStoreCount, 0);
  vmcs.write(fields::kExitMsrLoadCount, 0);
  vmcs.write(fields::kEntryMsrLoadCount, 0);
  vmcs.write(fields::kEntryInterruptionInfo, 0);
  vmcs.write(fields::kMsrBitmaps, s.l0_msr_bitmap.value());
  vmcs.write(fields::kTscOffset, vcpu.tsc_offset);
  vmcs.write(fields::kEptPointer, vcpu.vm.eptp01);
  if ((s.l0_secondary & secondary::kEnableVpid) != 0) {
    vmcs.write(fields::kVpid, vpid01(vcpu));
    flush_vpid(vpid01(vcpu));
  }
  if ((s.l0_secondary & secondary::kEnableXsaves) != 0) {
    vmcs.write(fields::kXssExitingBitmap, 0);
  }
  if ((s.l0_pin & pin::kPreemptionTimer) != 0) {
    vmcs.write(fields::kPreemptionTimerValue, watchdog_ticks());
  }
  vmcs.write(fields::kVmcsLinkPointer, ~std::uint64_t{0});
  vmcs.write(fields::kCr0GuestHostMask, kL0OwnedCr0);
  vmcs.write(fields::kCr4GuestHostMask, ~offered_cr4() | arch::cr4::kVmxe);
  flush_ept(vcpu.vm.eptp01);
}

std::uint32_t watchdog_ticks() {
  const System& s = system();
  const std::uint64_t ticks =
      (s.clock.to_tsc(kWatchdogNs) - s.clock.to_tsc(0)) >> s.capabilities.preemption_timer_rate();
  return ticks > 0xffff'ffff ? 0xffff'ffff : truncate<std::uint32_t>(ticks);
}

void set_boot_state(Vcpu& vcpu, const guest::BootState& state) {
  native::Vmcs& vmcs = vcpu.vmcs01;
  vcpu.use_vmcs(vmcs);
  vcpu.gprs = state.gprs;
  vmcs.write(fields::kGuestRsp, state.gprs[arch::Gpr::kRsp]);
  vmcs.write(fields::kGuestRip, state.rip);
  vmcs.write(fields::kGuestRflags, state.rflags);
  set_guest_cr0(vcpu, state.cr0);
  set_guest_cr4(vcpu, state.cr4);
  set_guest_efer(vcpu, state.efer);
  vmcs.write(fields::kGuestCr3, state.cr3);
  vmcs.write(fields::kGuestDr7, state.dr7);
  write_guest_segment(vmcs, arch::Segment::kCs, state.cs);
  write_guest_segment(vmcs, arch::Segment::kSs, state.ss);
  write_guest_segment(vmcs, arch::Segment::kDs, state.ds);
  write_guest_segment(vmcs, arch::Segment::kEs, state.es);
  write_guest_segment(vmcs, arch::Segment::kFs, state.fs);
  write_guest_segment(vmcs, arch::Segment::kGs, state.gs);
  write_guest_segment(vmcs, arch::Segment::kLdtr, state.ldtr);
  write_guest_segment(vmcs, arch::Segment::kTr, state.tr);
  vmcs.write(fields::kGuestGdtrBase, state.gdtr.base);
  vmcs.write(fields::kGuestGdtrLimit, state.gdtr.limit);
  vmcs.write(fields::kGuestIdtrBase, state.idtr.base);
  vmcs.write(fields::kGuestIdtrLimit, state.idtr.limit);
  vmcs.write(fields::kGuestInterruptibilityState, 0);
  vmcs.write(fields::kGuestActivityState, 0);
  vmcs.write(fields::kGuestPendingDebugExceptions, 0);
  vmcs.write(fields::kGuestDebugCtl, 0);
  vmcs.write(fields::kEntryInterruptionInfo, 0);
  reset_debug_registers(vcpu, state.cr2, state.dr6);
  vcpu.event = {};
  vcpu.nmi_pending = false;
}

void set_init_state(Vcpu& vcpu) {
  // INIT leaves these MSRs alone; only a VM that just starts has them at their reset values.
  set_boot_state(vcpu, guest::init_state(cpuid_signature(), arch::cr0::kReset));
  vcpu.activity = Activity::kWaitForSipi;
}

void reset_msrs(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs01;
  vmcs.write(fields::kGuestPat, kPatReset);
  vmcs.write(fields::kGuestSysenterCs, 0);
  vmcs.write(fields::kGuestSysenterEsp, 0);
  vmcs.write(fields::kGuestSysenterEip, 0);
}

void apply_sipi(Vcpu& vcpu, std::uint8_t vector) {
  guest::BootState state = guest::init_state(cpuid_signature(), arch::cr0::kReset);
  guest::apply_startup_vector(state, vector);
  set_boot_state(vcpu, state);
  vcpu.activity = Activity::kRunning;
}

}  // namespace archelon::hv
