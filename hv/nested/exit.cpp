#include "hv/base/log.hpp"
#include "hv/control_registers.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/msr_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/speculation.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"
#include "vmx/bitmaps.hpp"
#include "vmx/route.hpp"

// The nested exit: whose it is, and its delivery to L1 as hardware would do it.
namespace archelon::hv::nested {
namespace {

using namespace vmx;

// What routing asks beside VMCS12. Bitmaps are read where L1 keeps them; what is not RAM is all
// ones, as on a machine.
class Routing {
 public:
  Routing(Vcpu& vcpu, Vmcs12& vmcs12) : vcpu_(vcpu), vmcs12_(vmcs12) {}

  [[nodiscard]] std::uint64_t gpr(arch::Gpr r) {
    return r == arch::Gpr::kRsp ? vcpu_.vmcs().read(fields::kGuestRsp) : vcpu_.gprs[r];
  }
  [[nodiscard]] bool in_64bit_mode() { return archelon::hv::in_64bit_mode(vcpu_); }
  [[nodiscard]] bool msr_intercepted(std::uint32_t index, bool write) {
    if (!msr_has_bit(index)) {
      return true;
    }
    const std::size_t bit_number =
        detail::msr_bit(index, write ? MsrAccess::kWrite : MsrAccess::kRead);
    return test(vmcs12_.read(fields::kMsrBitmaps), bit_number);
  }
  [[nodiscard]] bool io_intercepted(std::uint16_t port, unsigned size) {
    for (unsigned i = 0; i < size; ++i) {
      const unsigned p = port + i;
      if (p > 0xffff ||
          test(vmcs12_.read(p < 0x8000 ? fields::kIoBitmapA : fields::kIoBitmapB), p & 0x7fff)) {
        return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] bool test(std::uint64_t page, std::size_t n) {
    const auto byte = read_value<std::uint8_t>(vcpu_.vm.memory, Gpa1(page) + n / 8);
    return ((byte.value_or(0xff) >> (n % 8)) & 1) != 0;
  }
  Vcpu& vcpu_;
  Vmcs12& vmcs12_;
};

void save_state_of_l2(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02) {
  const std::uint32_t exit12 = vmcs12.read(fields::kExitControls);
  vmcs12.leave_in_vmcs02(fields_saved_on_exit(exit12));
  // What L1 will read is fetched while VMCS02 is current anyway.
  (vmcs12.in_vmcs02() & vmcs02.wanted).for_each([&](std::size_t position) {
    fetch_current(vcpu, vmcs12, vmcs02, position);
  });
  vmcs12.fetched(
      position_of(fields::kGuestActivityState),
      static_cast<std::uint64_t>(vcpu.activity == Activity::kHalted ? ActivityState::kHlt
                                                                    : ActivityState::kActive));
  if ((exit12 & exit_controls::kSavePreemptionTimer) != 0) {
    // VMCS02's timer is L0's: what L1 sees is its own deadline, or what it wrote.
    const std::size_t position = position_of(fields::kPreemptionTimerValue);
    std::uint64_t left = vmcs12.last_known(position);
    if (vcpu.nested->timer_end) {
      const std::uint64_t now = archelon::hw::rdtsc();
      const std::uint64_t end = *vcpu.nested->timer_end;
      left = end <= now ? 0 : (end - now) >> system().capabilities.preemption_timer_rate();
    }
    vmcs12.fetched(position, left);
  }
  // "IA-32e mode guest" follows EFER.LMA. SDM vol. 3C, "Saving Control Registers, Debug Registers,
  // and MSRs".
  const std::uint32_t entry12 = vmcs12.read(fields::kEntryControls);
  const bool long_mode = (vmcs02.vmcs.read(fields::kGuestEfer) & arch::efer::kLma) != 0;
  const std::uint32_t wanted = long_mode ? entry12 | entry_controls::kIa32eModeGuest
                                         : entry12 & ~entry_controls::kIa32eModeGuest;
  if (wanted != entry12) {
    vmcs12.write(fields::kEntryControls, wanted);
  }
}

void abort(Vcpu& vcpu, Vmcs12& vmcs12, VmxAbort why) {
  const auto code = static_cast<std::uint32_t>(why);
  static_cast<void>(write_value(vcpu.vm.memory, vmcs12.region() + vmcs_region::kAbortOffset, code));
  log_error("vm {} vcpu {}: VMX abort {}", vcpu.vm.name, vcpu.index, code);
  stop_vm(vcpu.vm, "VMX abort: its CPU shut down");
}

// L1's host state into VMCS01, which becomes current.
void switch_to_l1(Vcpu& vcpu, Vmcs12& vmcs12, std::uint64_t cr0, std::uint64_t efer) {
  vcpu.nested->state.mode = VmxMode::kRoot;
  vcpu.use_vmcs(vcpu.vmcs01);
  const HostControlState host = host_control_state(vmcs12, cr0, efer);
  load_host_state(vmcs12, vcpu.vmcs01);
  set_guest_cr0(vcpu, host.cr0);
  set_guest_cr4(vcpu, host.cr4);
  set_guest_efer(vcpu, host.efer);
  vcpu.vmcs01.write(fields::kGuestCr3, host.cr3);
  if ((host.efer & arch::efer::kLma) == 0 && (host.cr4 & arch::cr4::kPae) != 0 &&
      !load_guest_pdptes(vcpu, host.cr3)) {
    abort(vcpu, vmcs12, VmxAbort::kHostPdptes);
  }
  if ((secondary_controls(vmcs12) & secondary::kEnableVpid) == 0) {
    flush_vpid(vpid01(vcpu));
  }
}

}  // namespace

bool running_l2(const Vcpu& vcpu) {
  return vcpu.nested->state.mode == VmxMode::kNonRoot;
}

ExitInformation information_of(Vcpu& vcpu, const Exit& exit) {
  native::Vmcs& vmcs = vcpu.vmcs();
  return {.reason = exit.reason,
          .qualification = exit.qualification,
          .guest_linear_address = vmcs.read(fields::kGuestLinearAddress),
          .guest_physical_address = 0,
          .interruption = exit.interruption,
          .interruption_error = exit.interruption_error,
          .idt_vectoring = exit.idt_vectoring,
          .idt_vectoring_error = exit.idt_vectoring_error,
          .instruction_length = exit.instruction_length,
          .instruction_info = vmcs.read(fields::kExitInstructionInfo)};
}

void reflect(Vcpu& vcpu, const ExitInformation& information) {
  Engine& engine = *vcpu.nested;
  Vmcs12& vmcs12 = *engine.vmcs12;
  const bool failed = information.reason.entry_failed();
  // The registers that the exit leaves as they are come from whoever ran: L2, or L1 where the entry
  // failed before L2 had a VMCS02.
  const std::uint64_t cr0 =
      &vcpu.vmcs() == &vcpu.vmcs01
          ? guest_cr0(vcpu)
          : value_in_vmcs02(vmcs12, *engine.vmcs02, position_of(fields::kGuestCr0));
  const std::uint64_t efer = guest_efer(vcpu);
  const bool keeps_pat = (vmcs12.read(fields::kExitControls) & exit_controls::kLoadPat) == 0;
  const std::uint64_t pat = keeps_pat ? vcpu.vmcs().read(fields::kGuestPat) : 0;
  write_exit_information(vmcs12, information);
  if (!failed) {
    // An event of L1's can end L2's run before the hardware began it: to L1 it was entered.
    entry_succeeded(vcpu);
    save_state_of_l2(vcpu, vmcs12, *engine.vmcs02);
    if (!store_msr_area(vcpu, vmcs12.read(fields::kExitMsrStoreAddress),
                        vmcs12.read(fields::kExitMsrStoreCount))) {
      abort(vcpu, vmcs12, VmxAbort::kSavingGuestMsrs);
    }
  }
  vcpu.event = {};
  vcpu.activity = vcpu.activity == Activity::kHalted ? Activity::kRunning : vcpu.activity;
  engine.injecting = false;
  engine.timer_end.reset();
  switch_to_l1(vcpu, vmcs12, cr0, efer);
  if (keeps_pat) {
    vcpu.vmcs01.write(fields::kGuestPat, pat);
  }
  if (!failed) {
    forget_branches();
  }
  std::uint32_t entry = 0;
  if (!load_msr_area(vcpu, vmcs12.read(fields::kExitMsrLoadAddress),
                     vmcs12.read(fields::kExitMsrLoadCount), entry)) {
    abort(vcpu, vmcs12, VmxAbort::kLoadingHostMsrs);
  }
}

bool l2_exit(Vcpu& vcpu, const Exit& exit) {
  using enum BasicExitReason;
  if (exit.basic() == kEptViolation || exit.basic() == kEptMisconfiguration) {
    return ept_exit(vcpu, exit);
  }
  Vmcs12& vmcs12 = *vcpu.nested->vmcs12;
  Routing routing(vcpu, vmcs12);
  if (!l1_wants(exit, vmcs12, routing)) {
    exits::handle(vcpu, exit);
    return false;
  }
  reflect(vcpu, information_of(vcpu, exit));
  return true;
}

bool reflect_exception(Vcpu& vcpu, const arch::Exception& exception) {
  if (!running_l2(vcpu)) {
    return false;
  }
  Vmcs12& vmcs12 = *vcpu.nested->vmcs12;
  Exit exit;
  exit.reason.word = static_cast<std::uint32_t>(BasicExitReason::kExceptionOrNmi);
  exit.interruption = InterruptionInfo::make(EventType::kHardwareException,
                                             static_cast<std::uint8_t>(exception.vector),
                                             exception.error_code.has_value());
  exit.interruption_error = exception.error_code.value_or(0);
  exit.qualification = exception.vector == arch::Vector::kPf ? exception.cr2 : 0;
  Routing routing(vcpu, vmcs12);
  if (!l1_wants(exit, vmcs12, routing)) {
    return false;
  }
  ExitInformation information{.reason = exit.reason,
                              .qualification = exit.qualification,
                              .interruption = exit.interruption,
                              .interruption_error = exit.interruption_error};
  if (vcpu.event.valid()) {
    information.idt_vectoring = vcpu.event.info;
    information.idt_vectoring_error = vcpu.event.error_code;
    information.instruction_length = vcpu.event.instruction_length;
  }
  reflect(vcpu, information);
  return true;
}

bool reflect_triple_fault(Vcpu& vcpu) {
  if (!running_l2(vcpu)) {
    return false;
  }
  reflect(vcpu, {.reason = {static_cast<std::uint32_t>(BasicExitReason::kTripleFault)}});
  return true;
}

}  // namespace archelon::hv::nested
