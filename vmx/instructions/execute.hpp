#pragma once

#include <cstdint>

#include "vmx/exit_reason.hpp"
#include "vmx/instructions/context.hpp"
#include "vmx/instructions/invalidate.hpp"
#include "vmx/instructions/vmcs_access.hpp"
#include "vmx/instructions/vmcs_pointer.hpp"
#include "vmx/instructions/vmenter.hpp"
#include "vmx/instructions/vmxon.hpp"

namespace archelon::vmx {

// Executes the VMX instruction of L1 that caused an exit: `info_word` is the exit's instruction
// information, `qualification` its qualification. What is no VMX instruction, and VMFUNC, which
// root operation does not have, is #UD.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome execute(C& context, BasicExitReason reason, std::uint32_t info_word,
                                 std::uint64_t qualification) {
  switch (reason) {
    case BasicExitReason::kVmread:
      return vmread(context, info_word, qualification);
    case BasicExitReason::kVmwrite:
      return vmwrite(context, info_word, qualification);
    case BasicExitReason::kVmresume:
      return vmenter(context, false);
    case BasicExitReason::kVmlaunch:
      return vmenter(context, true);
    case BasicExitReason::kVmptrld:
      return vmptrld(context, info_word, qualification);
    case BasicExitReason::kVmclear:
      return vmclear(context, info_word, qualification);
    case BasicExitReason::kVmptrst:
      return vmptrst(context, info_word, qualification);
    case BasicExitReason::kVmxon:
      return vmxon(context, info_word, qualification);
    case BasicExitReason::kVmxoff:
      return vmxoff(context);
    case BasicExitReason::kVmcall:
      return vmcall(context);
    case BasicExitReason::kInvept:
      return invept(context, info_word, qualification);
    case BasicExitReason::kInvvpid:
      return invvpid(context, info_word, qualification);
    default:
      return VmxOutcome::undefined_opcode();
  }
}

}  // namespace archelon::vmx
