#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/arch/exception.hpp"
#include "hv/arch/mode.hpp"
#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "vmx/capabilities.hpp"
#include "vmx/field_set.hpp"
#include "vmx/nested_state.hpp"
#include "vmx/operand.hpp"
#include "vmx/outcome.hpp"

namespace archelon::vmx {

// What the emulation of L1's VMX instructions needs of the virtual CPU that executes them. The CPU
// is L1, in or outside VMX root operation; everything is as L1 sees it.
template <class C>
concept VmxInstructionContext = requires(C context, const C const_context, arch::Gpr gpr,
                                         std::uint64_t value, arch::Segment segment, Gva linear,
                                         std::span<std::byte> out, std::span<const std::byte> in,
                                         Gpa1 region, Vmcs12& vmcs, std::size_t position) {
  { context.nested() } -> std::same_as<NestedState&>;

  // Registers. mode() is arch::cpu_mode of L1's real CR0, EFER, RFLAGS and CS; cr4() shows CR4.VMXE
  // as L1 set it; gpr() and set_gpr() know RSP.
  { context.mode() } -> std::same_as<arch::CpuMode>;
  { context.cpl() } -> std::same_as<unsigned>;
  { context.cr0() } -> std::same_as<std::uint64_t>;
  { context.cr4() } -> std::same_as<std::uint64_t>;
  { context.gpr(gpr) } -> std::same_as<std::uint64_t>;
  context.set_gpr(gpr, value);
  { context.segment(segment) } -> std::same_as<arch::SegmentRegister>;
  { context.blocked_by_mov_ss() } -> std::same_as<bool>;
  { context.feature_control() } -> std::same_as<std::uint64_t>;

  // L1's linear memory at CPL 0: nothing, or the #PF that the access raises. An access that faults
  // has changed nothing.
  { context.read_linear(linear, out) } -> std::same_as<std::optional<arch::Exception>>;
  { context.write_linear(linear, in) } -> std::same_as<std::optional<arch::Exception>>;

  // L1's physical memory; a PhysicalMemory<Gpa1>.
  requires PhysicalMemory<std::remove_reference_t<decltype(context.l1_memory())>, Gpa1>;

  // What L1 was offered: its capability MSRs, the fields that exist (existing_fields of them), its
  // address widths.
  { const_context.capabilities() } -> std::same_as<const Capabilities&>;
  { const_context.fields() } -> std::same_as<const FieldSet&>;
  { const_context.physical_bits() } -> std::same_as<unsigned>;
  { const_context.linear_bits() } -> std::same_as<unsigned>;

  // The vCPU's VMCS12 cache: see Vmcs12Cache. release_vmcs12s() gives all of it back to memory.
  { context.load_vmcs12(region) } -> std::same_as<Vmcs12&>;
  context.clear_vmcs12(region);
  context.release_vmcs12s();
  // Brings one field of `vmcs` home from VMCS02: calls vmcs.fetched(position, ...).
  context.fetch(vmcs, position);
};

// The faults that come before everything else in every VMX instruction but VMXON and VMCALL.
// Nothing where the instruction may go on.
template <VmxInstructionContext C>
[[nodiscard]] std::optional<VmxOutcome> check_root_operation(C& context) {
  const arch::CpuMode mode = context.mode();
  if (!context.nested().in_vmx_operation() ||
      (mode != arch::CpuMode::kProtected && mode != arch::CpuMode::k64Bit)) {
    return VmxOutcome::undefined_opcode();
  }
  if (context.cpl() != 0) {
    return VmxOutcome::general_protection();
  }
  return std::nullopt;
}

// VMfail: VMfailValid with `error` where there is a current VMCS, VMfailInvalid elsewhere.
template <VmxInstructionContext C>
[[nodiscard]] VmxOutcome fail(C& context, InstructionError error) {
  Vmcs12* const current = context.nested().current;
  if (current == nullptr) {
    return VmxOutcome::fail_invalid();
  }
  current->write(fields::kInstructionError, static_cast<std::uint32_t>(error));
  return VmxOutcome::fail_valid(error);
}

// The linear address of the memory operand of `size` bytes.
template <VmxInstructionContext C>
[[nodiscard]] Result<Gva, arch::Exception> operand_address(C& context, const InstructionInfo& info,
                                                           std::uint64_t displacement,
                                                           unsigned size, OperandAccess access) {
  const std::uint64_t base = info.base ? context.gpr(*info.base) : 0;
  const std::uint64_t index = info.index ? context.gpr(*info.index) : 0;
  const std::uint64_t offset = effective_address(info, displacement, base, index);
  const arch::CpuMode mode = context.mode();
  // In 64-bit mode the bases of CS, DS, ES and SS do not count: they need not be read.
  const bool flat = mode == arch::CpuMode::k64Bit && info.segment != arch::Segment::kFs &&
                    info.segment != arch::Segment::kGs;
  const auto segment = flat ? arch::SegmentRegister{} : context.segment(info.segment);
  return linear_address(info.segment, segment, offset, size, access, mode, context.linear_bits());
}

// The memory operand's bytes as a T, or the fault that reading it raises.
template <class T, VmxInstructionContext C>
[[nodiscard]] Result<T, arch::Exception> read_operand(C& context, const InstructionInfo& info,
                                                      std::uint64_t displacement) {
  const auto address =
      operand_address(context, info, displacement, sizeof(T), OperandAccess::kRead);
  if (!address) {
    return Err{address.error()};
  }
  T value{};
  if (const auto fault =
          context.read_linear(*address, std::as_writable_bytes(std::span<T, 1>(&value, 1)))) {
    return Err{*fault};
  }
  return value;
}

// Writes the memory operand; the fault where there is one.
template <class T, VmxInstructionContext C>
[[nodiscard]] std::optional<arch::Exception> write_operand(C& context, const InstructionInfo& info,
                                                           std::uint64_t displacement,
                                                           const T& value) {
  const auto address =
      operand_address(context, info, displacement, sizeof(T), OperandAccess::kWrite);
  if (!address) {
    return address.error();
  }
  return context.write_linear(*address, std::as_bytes(std::span<const T, 1>(&value, 1)));
}

// A pointer to a VMXON or VMCS region that may be one: page-aligned, within the physical addresses.
template <VmxInstructionContext C>
[[nodiscard]] bool is_region_pointer(const C& context, std::uint64_t pointer) {
  return (pointer & (kPageSize - 1)) == 0 && (pointer >> context.physical_bits()) == 0;
}

// The first word of a region. What is not RAM reads as all ones, which is no revision.
template <VmxInstructionContext C>
[[nodiscard]] std::uint32_t read_revision(C& context, Gpa1 region) {
  return read_value<std::uint32_t>(context.l1_memory(), region + vmcs_region::kRevisionOffset)
      .value_or(~std::uint32_t{0});
}

}  // namespace archelon::vmx
