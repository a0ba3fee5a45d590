#include "hv/base/log.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/msr_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"
#include "vmx/instruction_error.hpp"

// The nested entry: from L1's VMLAUNCH or VMRESUME to L2, and what the hardware says to it.
namespace archelon::hv::nested {
namespace {

using namespace vmx;

void start_timer(Engine& engine, Vmcs12& vmcs12) {
  engine.timer_end.reset();
  if ((vmcs12.read(fields::kPinControls) & pin::kPreemptionTimer) != 0) {
    const std::uint64_t ticks = vmcs12.read(fields::kPreemptionTimerValue);
    engine.timer_end =
        archelon::hw::rdtsc() + (ticks << system().capabilities.preemption_timer_rate());
  }
}

// Ends the attempt with L1's host state and the given failure.
EntryAttempt fail_entry(Vcpu& vcpu, BasicExitReason reason, std::uint64_t qualification) {
  reflect(vcpu, {.reason = ExitReason::failed_entry(reason), .qualification = qualification});
  return {
      .kind = EntryAttempt::Kind::kFailedEntry, .reason = reason, .qualification = qualification};
}

}  // namespace

EntryAttempt enter_l2(Vcpu& vcpu, const Exit& exit) {
  Engine& engine = *vcpu.nested;
  Vmcs12& vmcs12 = *engine.state.current;
  if (const std::optional<EntryAttempt> refused = check_entry(vcpu, vmcs12)) {
    if (refused->kind == EntryAttempt::Kind::kFailedEntry) {
      engine.vmcs12 = &vmcs12;
      engine.vmcs02 = &engine.vmcs02_of(vmcs12);
      engine.state.mode = VmxMode::kNonRoot;
      return fail_entry(vcpu, refused->reason, refused->qualification);
    }
    return *refused;
  }
  native::Vmcs& vmcs01 = vcpu.vmcs01;
  const L1Registers l1{.dr7 = vmcs01.read(fields::kGuestDr7),
                       .debugctl = vmcs01.read(fields::kGuestDebugCtl),
                       .pat = vmcs01.read(fields::kGuestPat),
                       .efer = vmcs01.read(fields::kGuestEfer)};
  engine.vmcs12 = &vmcs12;
  engine.vmcs02 = &engine.vmcs02_of(vmcs12);
  engine.entry_instruction_length = exit.instruction_length;
  engine.entered = false;
  engine.exit_at_once = false;
  if (!update_vmcs02(vcpu, vmcs12, *engine.vmcs02, l1)) {
    stop_vm(vcpu.vm, "there is no memory left for the VMCS of its L2");
    return {};
  }
  engine.state.mode = VmxMode::kNonRoot;
  std::uint32_t entry = 0;
  if (!load_msr_area(vcpu, vmcs12.read(fields::kEntryMsrLoadAddress),
                     vmcs12.read(fields::kEntryMsrLoadCount), entry)) {
    return fail_entry(vcpu, BasicExitReason::kEntryFailureMsrLoading, entry);
  }
  start_timer(engine, vmcs12);
  const auto activity =
      static_cast<ActivityState>(vmcs12.last_known(position_of(fields::kGuestActivityState)));
  if (activity == ActivityState::kHlt && !engine.injecting) {
    // The entry itself succeeds; the CPU would sleep until an event wakes it.
    vcpu.activity = Activity::kHalted;
    entry_succeeded(vcpu);
  }
  return {};
}

void entry_succeeded(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  engine.entered = true;
  engine.injecting = false;
  engine.vmcs12->set_launch_state(LaunchState::kLaunched);
}

bool entry_refused(Vcpu& vcpu) {
  Engine& engine = *vcpu.nested;
  if (!running_l2(vcpu)) {
    return false;
  }
  const std::uint32_t error = vcpu.vmcs().read(fields::kInstructionError);
  if (vcpu.counters.nested_entry_failures < kLoggedFailures) {
    log_warning("vm {} vcpu {}: the CPU refused VMCS02: {} ({})", vcpu.vm.name, vcpu.index,
                instruction_error_text(error), error);
  }
  if (engine.entered) {
    // The registers are L2's by now: there is no way back to L1's instruction.
    stop_vm(vcpu.vm, "the CPU refused to go on with its L2");
    return true;
  }
  engine.vmcs12->write(fields::kInstructionError, error);
  engine.state.mode = VmxMode::kRoot;
  vcpu.use_vmcs(vcpu.vmcs01);
  ++vcpu.counters.nested_entry_failures;
  native::Vmcs& vmcs = vcpu.vmcs();
  vmcs.write(fields::kGuestRflags,
             rflags_after(VmxOutcome::Kind::kFailValid, vmcs.read(fields::kGuestRflags)));
  Exit exit;
  exit.instruction_length = engine.entry_instruction_length;
  skip_instruction(vcpu, exit);
  return true;
}

bool entry_failed(Vcpu& vcpu, const Exit& exit) {
  if (!running_l2(vcpu)) {
    return false;
  }
  explain_refusal(vcpu, *vcpu.nested->vmcs12);
  ++vcpu.counters.nested_entry_failures;
  reflect(vcpu, {.reason = exit.reason, .qualification = exit.qualification});
  return true;
}

void before_entry(Vcpu& vcpu) {
  if (!running_l2(vcpu)) {
    return;
  }
  Engine& engine = *vcpu.nested;
  catch_up_flushes(vcpu);
  if ((system().l0_pin & pin::kPreemptionTimer) == 0) {
    return;
  }
  std::uint32_t ticks = watchdog_ticks();
  if (engine.exit_at_once) {
    ticks = 0;
  } else if (engine.timer_end) {
    const std::uint64_t now = archelon::hw::rdtsc();
    const std::uint64_t left = *engine.timer_end <= now ? 0 : *engine.timer_end - now;
    const std::uint64_t scaled = left >> system().capabilities.preemption_timer_rate();
    ticks = scaled < ticks ? truncate<std::uint32_t>(scaled) : ticks;
  }
  if (ticks != engine.vmcs02->timer) {
    vcpu.vmcs().write(fields::kPreemptionTimerValue, ticks);
    engine.vmcs02->timer = ticks;
  }
}

}  // namespace archelon::hv::nested
