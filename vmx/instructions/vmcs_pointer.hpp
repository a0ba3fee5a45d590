#pragma once

#include <cstdint>

#include "vmx/instructions/context.hpp"

// VMCLEAR, VMPTRLD and VMPTRST. SDM vol. 3C, "VMX Instruction Reference".
namespace archelon::vmx {

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmclear(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  NestedState& nested = context.nested();
  const auto pointer =
      read_operand<std::uint64_t>(context, InstructionInfo::decode(info_word), displacement);
  if (!pointer) {
    return VmxOutcome::raise(pointer.error());
  }
  if (!is_region_pointer(context, *pointer)) {
    return fail(context, InstructionError::kVmclearInvalidAddress);
  }
  const Gpa1 region(*pointer);
  if (region == nested.vmxon_region) {
    return fail(context, InstructionError::kVmclearVmxonPointer);
  }
  if (nested.current != nullptr && nested.current->region() == region) {
    nested.current = nullptr;
  }
  context.clear_vmcs12(region);
  return VmxOutcome::succeed();
}

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmptrld(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  NestedState& nested = context.nested();
  const auto pointer =
      read_operand<std::uint64_t>(context, InstructionInfo::decode(info_word), displacement);
  if (!pointer) {
    return VmxOutcome::raise(pointer.error());
  }
  if (!is_region_pointer(context, *pointer)) {
    return fail(context, InstructionError::kVmptrldInvalidAddress);
  }
  const Gpa1 region(*pointer);
  if (region == nested.vmxon_region) {
    return fail(context, InstructionError::kVmptrldVmxonPointer);
  }
  // The shadow indicator is an error as long as VMCS shadowing is not offered.
  std::uint32_t revision = read_revision(context, region);
  if (context.capabilities().control(ControlWord::kSecondary).can_set(secondary::kVmcsShadowing)) {
    revision &= ~vmcs_region::kShadowIndicator;
  }
  if (revision != context.capabilities().revision()) {
    return fail(context, InstructionError::kVmptrldWrongRevision);
  }
  nested.current = &context.load_vmcs12(region);
  return VmxOutcome::succeed();
}

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmptrst(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  const std::uint64_t pointer = context.nested().current_pointer();
  if (const auto fault =
          write_operand(context, InstructionInfo::decode(info_word), displacement, pointer)) {
    return VmxOutcome::raise(*fault);
  }
  return VmxOutcome::succeed();
}

}  // namespace archelon::vmx
