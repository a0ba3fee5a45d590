#pragma once

#include <cstdint>
#include <optional>

#include "vmx/instructions/context.hpp"

// VMREAD and VMWRITE. SDM vol. 3C, "VMX Instruction Reference".
namespace archelon::vmx {

namespace detail {

// The place of the field that `encoding` (a whole register) names for this L1.
template <VmxInstructionContext C>
[[nodiscard]] std::optional<std::size_t> offered_field(const C& context, std::uint64_t encoding) {
  if (encoding > 0xffffffff) {
    return std::nullopt;
  }
  const auto position = field_position(static_cast<std::uint32_t>(encoding));
  if (!position || !context.fields().has(*position)) {
    return std::nullopt;
  }
  return position;
}

// Outside 64-bit mode a register operand has 32 bits.
[[nodiscard]] constexpr std::uint64_t cut_to_mode(std::uint64_t value, arch::CpuMode mode) {
  return mode == arch::CpuMode::k64Bit ? value : value & 0xffffffff;
}

}  // namespace detail

// Faults of a memory operand come after the VMCS pointer and the field were found good.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmread(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  Vmcs12* const vmcs = context.nested().current;
  if (vmcs == nullptr) {
    return VmxOutcome::fail_invalid();
  }
  const InstructionInfo info = InstructionInfo::decode(info_word);
  const arch::CpuMode mode = context.mode();
  const std::uint64_t encoding = detail::cut_to_mode(context.gpr(info.second_register), mode);
  const auto position = detail::offered_field(context, encoding);
  if (!position) {
    return fail(context, InstructionError::kUnsupportedField);
  }
  if (vmcs->is_in_vmcs02(*position)) {
    context.fetch(*vmcs, *position);
  }
  const bool high = is_high_access(static_cast<std::uint32_t>(encoding));
  const std::uint64_t value = detail::cut_to_mode(vmcs->read_access(*position, high), mode);
  if (info.register_operand) {
    context.set_gpr(*info.register_operand, value);
    return VmxOutcome::succeed();
  }
  const auto fault =
      mode == arch::CpuMode::k64Bit
          ? write_operand(context, info, displacement, value)
          : write_operand(context, info, displacement, static_cast<std::uint32_t>(value));
  return fault ? VmxOutcome::raise(*fault) : VmxOutcome::succeed();
}

// Faults of a memory operand come after the VMCS pointer, but before the field, was found good.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome vmwrite(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  Vmcs12* const vmcs = context.nested().current;
  if (vmcs == nullptr) {
    return VmxOutcome::fail_invalid();
  }
  const InstructionInfo info = InstructionInfo::decode(info_word);
  const arch::CpuMode mode = context.mode();
  std::uint64_t value = 0;
  if (info.register_operand) {
    value = detail::cut_to_mode(context.gpr(*info.register_operand), mode);
  } else if (mode == arch::CpuMode::k64Bit) {
    const auto operand = read_operand<std::uint64_t>(context, info, displacement);
    if (!operand) {
      return VmxOutcome::raise(operand.error());
    }
    value = *operand;
  } else {
    const auto operand = read_operand<std::uint32_t>(context, info, displacement);
    if (!operand) {
      return VmxOutcome::raise(operand.error());
    }
    value = *operand;
  }
  const std::uint64_t encoding = detail::cut_to_mode(context.gpr(info.second_register), mode);
  const auto position = detail::offered_field(context, encoding);
  if (!position) {
    return fail(context, InstructionError::kUnsupportedField);
  }
  if (field_type(static_cast<std::uint32_t>(encoding)) == FieldType::kReadOnly &&
      !context.capabilities().has(arch::msr::kVmxMisc, misc::kVmwriteAnyField)) {
    return fail(context, InstructionError::kVmwriteReadOnlyField);
  }
  const bool high = is_high_access(static_cast<std::uint32_t>(encoding));
  if (high && vmcs->is_in_vmcs02(*position)) {
    context.fetch(*vmcs, *position);  // its lower half stays
  }
  vmcs->write_access(*position, high, value);
  return VmxOutcome::succeed();
}

}  // namespace archelon::vmx
