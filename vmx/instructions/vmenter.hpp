#pragma once

#include "vmx/instructions/context.hpp"

// VMLAUNCH and VMRESUME up to the checks of the VMCS itself. SDM vol. 3C, "VMX Instruction
// Reference" and "Basic VM-Entry Checks".
namespace archelon::vmx {

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmenter(C& context, bool is_launch) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  const Vmcs12* const vmcs = context.nested().current;
  if (vmcs == nullptr) {
    return VmxOutcome::fail_invalid();
  }
  if (context.blocked_by_mov_ss()) {
    return fail(context, InstructionError::kEntryMovSsBlocking);
  }
  if (is_launch && vmcs->launch_state() != LaunchState::kClear) {
    return fail(context, InstructionError::kVmlaunchNonClear);
  }
  if (!is_launch && vmcs->launch_state() != LaunchState::kLaunched) {
    return fail(context, InstructionError::kVmresumeNonLaunched);
  }
  return VmxOutcome::enter(is_launch);
}

}  // namespace archelon::vmx
