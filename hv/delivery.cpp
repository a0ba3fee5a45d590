#include "hv/delivery.hpp"

#include "hv/machine_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;

void set_window(Vcpu& vcpu, std::uint32_t window, bool open) {
  native::Vmcs& vmcs = vcpu.vmcs();
  const std::uint32_t controls = vmcs.read(fields::kPrimaryProcControls);
  const std::uint32_t wanted = open ? controls | window : controls & ~window;
  if (wanted != controls) {
    vmcs.write(fields::kPrimaryProcControls, wanted);
  }
}

void inject(Vcpu& vcpu, EventType type, std::uint8_t vector) {
  write_entry_event(vcpu.vmcs(), {.info = InterruptionInfo::make(type, vector)});
}

// The guest takes the NMI now, or there is an exit when it can. False where the slot is taken.
void deliver_nmi(Vcpu& vcpu, bool& slot_free) {
  constexpr std::uint32_t kBlocking = interruptibility::kBlockingByNmi |
                                      interruptibility::kBlockingBySti |
                                      interruptibility::kBlockingByMovSs;
  if (slot_free && (vcpu.vmcs().read(fields::kGuestInterruptibilityState) & kBlocking) == 0) {
    inject(vcpu, EventType::kNmi, static_cast<std::uint8_t>(arch::Vector::kNmi));
    vcpu.nmi_pending = false;
    slot_free = false;
    return;
  }
  // Without virtual NMIs there is no NMI window: the next exit tries again.
  if ((vcpu.vmcs().read(fields::kPinControls) & pin::kVirtualNmis) != 0) {
    set_window(vcpu, primary::kNmiWindowExiting, true);
  }
}

[[nodiscard]] bool takes_interrupts(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs();
  return (vmcs.read(fields::kGuestRflags) & arch::rflags::kIf) != 0 &&
         (vmcs.read(fields::kGuestInterruptibilityState) &
          (interruptibility::kBlockingBySti | interruptibility::kBlockingByMovSs)) == 0;
}

void deliver_interrupt(Vcpu& vcpu, bool slot_free) {
  MachineAccess access(vcpu.vm);
  if (!access.machine().pending_interrupt(vcpu.index)) {
    vcpu.take(work::kInterrupts);
    // A device that raised its line in between has set the bit again.
    if (access.machine().pending_interrupt(vcpu.index)) {
      vcpu.request(work::kInterrupts);
    }
    return;
  }
  if (slot_free && takes_interrupts(vcpu)) {
    if (const auto vector = access.machine().acknowledge_interrupt(vcpu.index)) {
      inject(vcpu, EventType::kExternalInterrupt, *vector);
      slot_free = false;
    }
  }
  if (access.machine().pending_interrupt(vcpu.index)) {
    set_window(vcpu, primary::kInterruptWindowExiting, true);
  }
}

}  // namespace

void deliver_events(Vcpu& vcpu) {
  if (nested::running_l2(vcpu)) {
    nested::deliver_to_l1(vcpu);  // may leave L2
  }
  bool slot_free = true;
  if (vcpu.event.valid()) {
    if (vcpu.event.info.type() == EventType::kNmi) {
      // The blocking that its first delivery began must be undone for another one.
      vcpu.vmcs().write(fields::kGuestInterruptibilityState,
                        vcpu.vmcs().read(fields::kGuestInterruptibilityState) &
                            ~interruptibility::kBlockingByNmi);
    }
    write_entry_event(vcpu.vmcs(), vcpu.event);
    vcpu.event = {};
    slot_free = false;
  } else if (nested::entry_event_pending(vcpu)) {
    slot_free = false;
  }
  if (vcpu.nmi_pending) {
    deliver_nmi(vcpu, slot_free);
  }
  if ((vcpu.work() & work::kInterrupts) != 0) {
    deliver_interrupt(vcpu, slot_free);
  }
}

}  // namespace archelon::hv
