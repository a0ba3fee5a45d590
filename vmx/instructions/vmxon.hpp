#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/msr.hpp"
#include "vmx/instructions/context.hpp"

// VMXON, VMXOFF and VMCALL. SDM vol. 3C, "VMX Instruction Reference".
namespace archelon::vmx {

// True where CR0 and CR4 have values that VMX operation supports. SDM vol. 3C, "Restrictions on VMX
// Operation".
[[nodiscard]] constexpr bool control_registers_allow_vmx(std::uint64_t cr0, std::uint64_t cr4,
                                                         const Capabilities& caps) {
  namespace msr = arch::msr;
  const auto allowed = [](std::uint64_t value, std::uint64_t fixed0, std::uint64_t fixed1) {
    return (value & fixed0) == fixed0 && (value & ~fixed1) == 0;
  };
  return allowed(cr0, caps[msr::kVmxCr0Fixed0], caps[msr::kVmxCr0Fixed1]) &&
         allowed(cr4, caps[msr::kVmxCr4Fixed0], caps[msr::kVmxCr4Fixed1]);
}

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmxon(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  namespace msr = arch::msr;
  NestedState& nested = context.nested();
  const InstructionInfo info = InstructionInfo::decode(info_word);
  const arch::CpuMode mode = context.mode();
  if (info.register_operand ||
      (mode != arch::CpuMode::kProtected && mode != arch::CpuMode::k64Bit) ||
      (context.cr4() & arch::cr4::kVmxe) == 0) {
    return VmxOutcome::undefined_opcode();
  }
  if (context.cpl() != 0) {
    return VmxOutcome::general_protection();
  }
  if (nested.in_vmx_operation()) {
    return fail(context, InstructionError::kVmxonInRoot);
  }
  constexpr std::uint64_t kEnabled = msr::kFeatureControlLocked | msr::kFeatureControlVmxOutsideSmx;
  if (!control_registers_allow_vmx(context.cr0(), context.cr4(), context.capabilities()) ||
      (context.feature_control() & kEnabled) != kEnabled) {
    return VmxOutcome::general_protection();
  }
  const auto pointer = read_operand<std::uint64_t>(context, info, displacement);
  if (!pointer) {
    return VmxOutcome::raise(pointer.error());
  }
  // Bit 31 of the first word is part of the comparison: it must be 0.
  if (!is_region_pointer(context, *pointer) ||
      read_revision(context, Gpa1(*pointer)) != context.capabilities().revision()) {
    return VmxOutcome::fail_invalid();
  }
  nested.mode = VmxMode::kRoot;
  nested.vmxon_region = Gpa1(*pointer);
  nested.current = nullptr;
  return VmxOutcome::succeed();
}

// VMCSs that L1 left active are written back at once, while their memory is still theirs.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmxoff(C& context) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  context.nested().current = nullptr;
  context.release_vmcs12s();
  context.nested().reset();
  return VmxOutcome::succeed();
}

// VMCALL of L1 in root operation would call an SMM monitor; there is none.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmcall(C& context) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  return fail(context, InstructionError::kVmcallInRoot);
}

}  // namespace archelon::vmx
