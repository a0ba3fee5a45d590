#pragma once

#include <array>
#include <cstdint>

#include "mmu/ept_entry.hpp"
#include "vmx/instructions/context.hpp"

// INVEPT and INVVPID: they check, and say what is to be dropped. SDM vol. 3C, "VMX Instruction
// Reference".
namespace archelon::vmx {

namespace detail {

struct InvalidationDescriptor {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
static_assert(sizeof(InvalidationDescriptor) == 16);

// The type operand: a whole register in 64-bit mode, 32 bits of it elsewhere.
template <VmxInstructionContext C>
[[nodiscard]] std::uint64_t invalidation_type(C& context, const InstructionInfo& info) {
  const std::uint64_t type = context.gpr(info.second_register);
  return context.mode() == arch::CpuMode::k64Bit ? type : type & 0xffffffff;
}

}  // namespace detail

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome invept(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  const Capabilities& caps = context.capabilities();
  if (!caps.has_ept_vpid(ept_vpid::kInvept)) {
    return VmxOutcome::undefined_opcode();
  }
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  const InstructionInfo info = InstructionInfo::decode(info_word);
  const std::uint64_t type = detail::invalidation_type(context, info);
  const bool single = type == 1 && caps.has_ept_vpid(ept_vpid::kInveptSingle);
  const bool all = type == 2 && caps.has_ept_vpid(ept_vpid::kInveptAll);
  if (!single && !all) {
    return fail(context, InstructionError::kInvalidInvalidationOperand);
  }
  const auto descriptor = read_operand<detail::InvalidationDescriptor>(context, info, displacement);
  if (!descriptor) {
    return VmxOutcome::raise(descriptor.error());
  }
  if (all) {
    return VmxOutcome::invalidate({.kind = Invalidation::Kind::kEptAll});
  }
  // An EPT pointer that a VM entry would refuse is refused here.
  const auto features =
      mmu::ept::features_from_capability(caps[arch::msr::kVmxEptVpidCap], context.physical_bits());
  if (!mmu::ept::is_valid_pointer(descriptor->low, features)) {
    return fail(context, InstructionError::kInvalidInvalidationOperand);
  }
  return VmxOutcome::invalidate({.kind = Invalidation::Kind::kEptSingle, .eptp = descriptor->low});
}

template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome invvpid(C& context, std::uint32_t info_word, std::uint64_t displacement) {
  using Kind = Invalidation::Kind;
  const Capabilities& caps = context.capabilities();
  if (!caps.has_ept_vpid(ept_vpid::kInvvpid)) {
    return VmxOutcome::undefined_opcode();
  }
  if (const auto stop = check_root_operation(context)) {
    return *stop;
  }
  constexpr std::array<Kind, 4> kKinds = {Kind::kVpidAddress, Kind::kVpidSingle, Kind::kVpidAll,
                                          Kind::kVpidSingleRetainGlobals};
  const InstructionInfo info = InstructionInfo::decode(info_word);
  const std::uint64_t type = detail::invalidation_type(context, info);
  if (type >= kKinds.size() ||
      !caps.has_ept_vpid(ept_vpid::kInvvpidAddress << static_cast<unsigned>(type))) {
    return fail(context, InstructionError::kInvalidInvalidationOperand);
  }
  const auto descriptor = read_operand<detail::InvalidationDescriptor>(context, info, displacement);
  if (!descriptor) {
    return VmxOutcome::raise(descriptor.error());
  }
  const Kind kind = kKinds[type];
  const auto vpid = static_cast<std::uint16_t>(descriptor->low);
  if (descriptor->low > 0xffff || (kind != Kind::kVpidAll && vpid == 0) ||
      (kind == Kind::kVpidAddress && !is_canonical(descriptor->high, context.linear_bits()))) {
    return fail(context, InstructionError::kInvalidInvalidationOperand);
  }
  switch (kind) {
    case Kind::kVpidAll:
      return VmxOutcome::invalidate({.kind = kind});
    case Kind::kVpidAddress:
      return VmxOutcome::invalidate(
          {.kind = kind, .vpid = vpid, .eptp = 0, .linear = Gva(descriptor->high)});
    default:
      return VmxOutcome::invalidate({.kind = kind, .vpid = vpid});
  }
}

}  // namespace archelon::vmx
