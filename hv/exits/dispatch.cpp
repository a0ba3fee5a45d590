#include "hv/exits/dispatch.hpp"

#include "hv/base/log.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/hw/traps.hpp"
#include "hv/nested/engine.hpp"
#include "hv/vm.hpp"
#include "vmx/instruction_error.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;

// Exits that are L0's whichever guest ran. True where `exit` was one.
bool handle_machine_exit(Vcpu& vcpu, const Exit& exit, ExitCounters::Row& row,
                         bool& machine_event) {
  using enum BasicExitReason;
  switch (exit.basic()) {
    case kExternalInterrupt:
      hw::handle_interrupt(exit.interruption.vector());
      machine_event = true;
      return true;
    case kPreemptionTimer:
      machine_event = true;
      row.reflected += nested::preemption_timer(vcpu) ? 1 : 0;
      return true;
    case kInterruptWindow:
    case kNmiWindow:
      return nested::close_window(vcpu, exit.basic());
    case kExceptionOrNmi:
      if (exit.interruption.type() == EventType::kNmi) {
        hw::handle_nmi();
        machine_event = true;
        return true;
      }
      return false;
    default:
      return false;
  }
}

void report_failed_entry(Vcpu& vcpu, native::Outcome outcome) {
  const std::uint32_t error =
      outcome == native::Outcome::kFailValid ? vcpu.vmcs().read(fields::kInstructionError) : 0;
  log_error("vm {} vcpu {}: VM entry refused: {} ({})", vcpu.vm.name, vcpu.index,
            error == 0 ? "no current VMCS" : instruction_error_text(error), error);
  stop_vm(vcpu.vm, "L0's own VM entry was refused");
}

}  // namespace

namespace exits {

void handle(Vcpu& vcpu, const Exit& exit) {
  using enum BasicExitReason;
  switch (exit.basic()) {
    case kExceptionOrNmi:
      exception_or_nmi(vcpu, exit);
      return;
    case kTripleFault:
      stop_vm(vcpu.vm, "triple fault");
      return;
    case kCpuid:
      cpuid(vcpu, exit);
      return;
    case kRdmsr:
      rdmsr(vcpu, exit);
      return;
    case kWrmsr:
      wrmsr(vcpu, exit);
      return;
    case kCrAccess:
      cr_access(vcpu, exit);
      return;
    case kIoInstruction:
      io_instruction(vcpu, exit);
      return;
    case kHlt:
      hlt(vcpu, exit);
      return;
    case kXsetbv:
      xsetbv(vcpu, exit);
      return;
    case kInvd:
    case kWbinvd:
      invd(vcpu, exit);
      return;
    case kRdpmc:
      rdpmc(vcpu, exit);
      return;
    case kEptViolation:
    case kEptMisconfiguration:
      mmio(vcpu, exit, Gpa1(vcpu.vmcs().read(fields::kGuestPhysicalAddress)));
      return;
    case kVmcall:
    case kVmclear:
    case kVmlaunch:
    case kVmptrld:
    case kVmptrst:
    case kVmread:
    case kVmresume:
    case kVmwrite:
    case kVmxoff:
    case kVmxon:
    case kInvept:
    case kInvvpid:
      nested::vmx_instruction(vcpu, exit);
      return;
    case kMwait:
    case kMonitor:
    case kGetsec:
    case kVmfunc:
    case kEncls:
    case kEnclv:
    case kPconfig:
    case kRsm:
      inject_ud(vcpu);  // none of them is in L1's CPUID
      return;
    default:
      unexpected(vcpu, exit);
      return;
  }
}

}  // namespace exits

bool enter_and_handle(Vcpu& vcpu) {
  nested::before_entry(vcpu);
  const native::Outcome outcome = vcpu.vmcs().enter(vcpu.gprs);
  if (outcome != native::Outcome::kSucceed) [[unlikely]] {
    if (!nested::entry_refused(vcpu)) {
      report_failed_entry(vcpu, outcome);
    }
    return false;
  }
  const Exit exit = decode_exit(vcpu.vmcs());
  const bool l2 = nested::running_l2(vcpu);
  ExitCounters::Row& row =
      (l2 ? vcpu.counters.l2 : vcpu.counters.l1)[ExitCounters::row(exit.reason)];
  ++row.total;
  if (exit.reason.entry_failed()) [[unlikely]] {
    vcpu.vmcs().entry_failed();
    if (!nested::entry_failed(vcpu, exit)) {
      exits::unexpected(vcpu, exit);
    }
    return false;
  }
  if (l2) {
    nested::entry_succeeded(vcpu);
  }
  vcpu.event = interrupted_delivery(exit);
  bool machine_event = false;
  if (!handle_machine_exit(vcpu, exit, row, machine_event)) {
    if (l2) {
      row.reflected += nested::l2_exit(vcpu, exit) ? 1 : 0;
    } else {
      exits::handle(vcpu, exit);
    }
  }
  return machine_event;
}

}  // namespace archelon::hv
