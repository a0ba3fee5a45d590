#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/machine_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"

// Events that meet an L2: L1's interrupts and NMIs, windows, timers, INIT and SIPI.
namespace archelon::hv::nested {
namespace {

using namespace vmx;

[[nodiscard]] ExitInformation synthetic(Vcpu& vcpu, BasicExitReason reason) {
  ExitInformation information{.reason = {static_cast<std::uint32_t>(reason)}};
  if (vcpu.event.valid()) {
    information.idt_vectoring = vcpu.event.info;
    information.idt_vectoring_error = vcpu.event.error_code;
    information.instruction_length = vcpu.event.instruction_length;
  }
  return information;
}

// An exit that must wait until an event is delivered, VMCS12's own injection or one whose delivery
// an exit of L0's own cut short: the entry comes first and ends at once. Hardware has these exits
// only between instructions, so that none of them can carry IDT-vectoring information.
[[nodiscard]] bool must_enter_first(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  engine.exit_at_once = engine.injecting || vcpu.event.valid();
  return engine.exit_at_once;
}

[[nodiscard]] bool has(Engine& engine, std::uint32_t pin_control) {
  return (engine.vmcs12->read(fields::kPinControls) & pin_control) != 0;
}

// L1's preemption timer has reached zero under an L2.
[[nodiscard]] bool has_expired(const Vcpu& vcpu) {
  const Engine& engine = *vcpu.nested;
  return running_l2(vcpu) && engine.timer_end && archelon::hw::rdtsc() >= *engine.timer_end;
}

// What an interrupt of L1's own does to L2 now.
enum class InterruptStep : std::uint8_t { kNone, kEnterFirst, kExit };

// With acknowledgement on exit the vector is taken here. The machine's lock is given back before L2
// is left: that goes through L1's MSR areas, which may name registers of the machine.
[[nodiscard]] InterruptStep take_interrupt(Vcpu& vcpu, InterruptionInfo& taken) {
  MachineAccess access(vcpu.vm);
  if (!access.machine().pending_interrupt(vcpu.index)) {
    vcpu.take(work::kInterrupts);
    vcpu.nested->exit_at_once = false;
    return InterruptStep::kNone;
  }
  if (must_enter_first(vcpu)) {
    return InterruptStep::kEnterFirst;
  }
  const std::uint32_t exit12 = vcpu.nested->vmcs12->read(fields::kExitControls);
  if ((exit12 & exit_controls::kAckInterruptOnExit) != 0) {
    if (const auto vector = access.machine().acknowledge_interrupt(vcpu.index)) {
      taken = InterruptionInfo::make(EventType::kExternalInterrupt, *vector);
    }
  }
  return InterruptStep::kExit;
}

}  // namespace

void deliver_to_l1(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  if (vcpu.nmi_pending && has(engine, pin::kNmiExiting)) {
    if (must_enter_first(vcpu)) {
      return;
    }
    vcpu.nmi_pending = false;
    ExitInformation information = synthetic(vcpu, BasicExitReason::kExceptionOrNmi);
    information.interruption =
        InterruptionInfo::make(EventType::kNmi, static_cast<std::uint8_t>(arch::Vector::kNmi));
    reflect(vcpu, information);
    // The exit for an NMI blocks NMIs in L1. SDM vol. 3C, "Updating Non-Register State".
    vcpu.vmcs01.write(fields::kGuestInterruptibilityState, interruptibility::kBlockingByNmi);
    return;
  }
  if (engine.timer_end && archelon::hw::rdtsc() >= *engine.timer_end && engine.entered) {
    if (!must_enter_first(vcpu)) {
      reflect(vcpu, synthetic(vcpu, BasicExitReason::kPreemptionTimer));
    }
    return;
  }
  if ((vcpu.work() & work::kInterrupts) != 0 && has(engine, pin::kExternalInterruptExiting)) {
    ExitInformation information = synthetic(vcpu, BasicExitReason::kExternalInterrupt);
    if (take_interrupt(vcpu, information.interruption) == InterruptStep::kExit) {
      reflect(vcpu, information);
    }
  }
}

bool entry_event_pending(const Vcpu& vcpu) {
  return running_l2(vcpu) && vcpu.nested->injecting;
}

bool timer_due(Vcpu& vcpu) {
  if (!has_expired(vcpu) && running_l2(vcpu) && vcpu.nested->timer_end) {
    wake_by(system().clock.to_ns(*vcpu.nested->timer_end) + 1);
  }
  return has_expired(vcpu);
}

bool preemption_timer(Vcpu& vcpu) {
  if (!has_expired(vcpu)) {
    return false;  // L0's watchdog, or an entry that was to end at once
  }
  vcpu.nested->entered = true;
  reflect(vcpu, synthetic(vcpu, BasicExitReason::kPreemptionTimer));
  return true;
}

bool close_window(Vcpu& vcpu, BasicExitReason window) {
  const std::uint32_t control = window == BasicExitReason::kNmiWindow
                                    ? primary::kNmiWindowExiting
                                    : primary::kInterruptWindowExiting;
  if (running_l2(vcpu) &&
      (vcpu.nested->vmcs12->read(fields::kPrimaryProcControls) & control) != 0) {
    return false;
  }
  native::Vmcs& vmcs = vcpu.vmcs();
  vmcs.write(fields::kPrimaryProcControls, vmcs.read(fields::kPrimaryProcControls) & ~control);
  return true;
}

bool wakes(Vcpu& vcpu) {
  if (!running_l2(vcpu)) {
    return false;
  }
  Engine& engine = *vcpu.nested;
  if (has_expired(vcpu)) {
    return true;
  }
  MachineAccess access(vcpu.vm);
  return has(engine, pin::kExternalInterruptExiting) &&
         access.machine().pending_interrupt(vcpu.index).has_value();
}

void init_signal(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  switch (engine.state.mode) {
    case VmxMode::kNonRoot:
      reflect(vcpu, synthetic(vcpu, BasicExitReason::kInit));
      return;
    case VmxMode::kRoot:
      engine.init_blocked = true;  // until VMXOFF. SDM vol. 3C, "INIT in VMX root operation"
      return;
    case VmxMode::kOff:
      set_init_state(vcpu);
      return;
  }
}

void startup_signal(Vcpu& vcpu) {
  if (vcpu.activity == Activity::kWaitForSipi) {
    apply_sipi(vcpu, vcpu.sipi_vector.load(std::memory_order_acquire));
    vcpu.request(work::kInterrupts);  // not looked at during the wait
  }
}

bool make_engine(Vcpu& vcpu) {
  vcpu.nested = make_object<Engine>();
  if (vcpu.nested == nullptr) {
    return false;
  }
  const std::optional<Hpa> scratch = allocate_zeroed_frame();
  if (!scratch) {
    return false;
  }
  vcpu.nested->scratch = *scratch;
  return true;
}

void leave(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  engine.state.reset();
  for (Vmcs02& vmcs02 : engine.vmcs02s) {
    release_ept(vcpu, vmcs02);
    if (vmcs02.vmcs.attached()) {
      vmcs02.vmcs.clear();
      vmcs02.ready = false;
    }
  }
  engine.cache.drop_all();  // in place: a new one would be too large for the stack
  engine.timer_end.reset();
  engine.injecting = false;
  engine.init_blocked = false;
  engine.last_vpid12 = 0;
  flush_vpid(vpid02(vcpu));
  vcpu.use_vmcs(vcpu.vmcs01);
}

}  // namespace archelon::hv::nested
