#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "vmx/capabilities.hpp"
#include "vmx/checks/check_environment.hpp"
#include "vmx/checks/rule_list.hpp"
#include "vmx/controls.hpp"
#include "vmx/fields.hpp"
#include "vmx/interruption.hpp"

namespace archelon::vmx::checks {

// Bits of the secondary VM-exit controls, of CR4 and of EPTP that only the checks know.
namespace secondary_exit {
inline constexpr std::uint64_t kLoadFred = bit(1);
inline constexpr std::uint64_t kLoadSpecCtrl = bit(2);
}  // namespace secondary_exit
inline constexpr std::uint64_t kCr4Fred = bit(32);

// The fields behind the questions below, for the rules that ask them.
inline constexpr FieldSet kPin = looks_at(fields::kPinControls);
inline constexpr FieldSet kPrimary = looks_at(fields::kPrimaryProcControls);
inline constexpr FieldSet kSecondary = looks_at(kPrimary, fields::kSecondaryProcControls);
inline constexpr FieldSet kTertiary = looks_at(kPrimary, fields::kTertiaryProcControls);
inline constexpr FieldSet kExit = looks_at(fields::kExitControls);
inline constexpr FieldSet kSecondaryExit = looks_at(kExit, fields::kSecondaryExitControls);
inline constexpr FieldSet kEntry = looks_at(fields::kEntryControls);
inline constexpr FieldSet kEvent = looks_at(fields::kEntryInterruptionInfo);
inline constexpr FieldSet kV86 = looks_at(kEntry, fields::kGuestRflags);

// What the predicates see: one VMCS and the CPU that is to enter it.
template <class View, class Memory>
class CheckContext {
 public:
  CheckContext(View& view, Memory& memory, const Capabilities& capabilities,
               const CheckEnvironment& environment)
      : caps(capabilities), env(environment), view_(view), memory_(memory) {}

  const Capabilities& caps;
  const CheckEnvironment& env;

  template <class T>
  [[nodiscard]] typename Field<T>::Value read(Field<T> field) const {
    return view_.read(field);
  }

  // True where any control of `mask` is 1. Words that are not activated count as 0.
  [[nodiscard]] bool pin(std::uint32_t mask) const { return any(fields::kPinControls, mask); }
  [[nodiscard]] bool primary(std::uint32_t mask) const {
    return any(fields::kPrimaryProcControls, mask);
  }
  [[nodiscard]] bool secondary(std::uint32_t mask) const {
    return primary(primary::kActivateSecondary) && any(fields::kSecondaryProcControls, mask);
  }
  [[nodiscard]] bool tertiary(std::uint64_t mask) const {
    return primary(primary::kActivateTertiary) && any(fields::kTertiaryProcControls, mask);
  }
  [[nodiscard]] bool exit(std::uint32_t mask) const { return any(fields::kExitControls, mask); }
  [[nodiscard]] bool secondary_exit(std::uint64_t mask) const {
    return exit(exit_controls::kActivateSecondary) && any(fields::kSecondaryExitControls, mask);
  }
  [[nodiscard]] bool entry(std::uint32_t mask) const { return any(fields::kEntryControls, mask); }

  [[nodiscard]] bool ept() const { return secondary(secondary::kEnableEpt); }
  [[nodiscard]] bool unrestricted() const { return secondary(secondary::kUnrestrictedGuest); }
  [[nodiscard]] bool ia32e_guest() const { return entry(entry_controls::kIa32eModeGuest); }
  [[nodiscard]] bool host64() const { return exit(exit_controls::kHostAddressSpaceSize); }
  // FRED exists on this CPU.
  [[nodiscard]] bool fred() const {
    return caps.control(ControlWord::kEntry).can_set(entry_controls::kLoadFred);
  }

  // Linear addresses. "Extended" is what a register loaded in 64-bit mode may hold though it is not
  // canonical: the bits above the linear-address width are all equal.
  [[nodiscard]] bool canonical(std::uint64_t address) const {
    return is_canonical(address, env.linear_bits);
  }
  [[nodiscard]] bool extended(std::uint64_t address) const {
    const std::uint64_t top = address >> env.linear_bits;
    return top == 0 || top == ~std::uint64_t{0} >> env.linear_bits;
  }

  // Physical addresses of what a VMCS refers to.
  [[nodiscard]] bool within_width(std::uint64_t address) const {
    const bool narrow = caps.has(arch::msr::kVmxBasic, basic::kAddresses32Bit);
    return (address >> (narrow ? 32 : env.physical_bits)) == 0;
  }
  [[nodiscard]] bool aligned_within(std::uint64_t address, std::uint64_t alignment) const {
    return is_aligned(address, alignment) && within_width(address);
  }
  [[nodiscard]] bool page(Field64 field) const { return aligned_within(read(field), kPageSize); }

  // An area of MSR entries, 16 bytes each.
  [[nodiscard]] bool msr_area(Field32 count, Field64 address) const {
    return read(count) == 0 || aligned_within(read(address), 16);
  }
  [[nodiscard]] bool msr_area_end(Field32 count, Field64 address) const {
    const std::uint64_t bytes = std::uint64_t{read(count)} * 16;
    return bytes == 0 || within_width(read(address) + bytes - 1);
  }

  // Memory that is not RAM reads as ones, as on a bus that nobody answers on.
  template <class T>
  [[nodiscard]] T memory(std::uint64_t address) const {
    return read_value<T>(memory_, Gpa1(address)).value_or(static_cast<T>(~T{0}));
  }

  // CR3 with the bits that are no address.
  [[nodiscard]] bool valid_cr3(std::uint64_t value) const {
    const std::uint64_t modifiers = env.lam ? arch::cr3::kLamU48 | arch::cr3::kLamU57 : 0;
    return ((value & ~modifiers) >> env.physical_bits) == 0;
  }

  // Segments of the guest. In virtual-8086 mode there are other rules than in all other modes.
  [[nodiscard]] bool v86() const {
    return !ia32e_guest() && (read(fields::kGuestRflags) & arch::rflags::kVm) != 0;
  }
  [[nodiscard]] std::uint32_t rights(arch::Segment segment) const {
    return read(guest_segment_fields(segment).access_rights);
  }
  [[nodiscard]] bool usable(arch::Segment segment) const {
    return (rights(segment) & arch::ar::kUnusable) == 0;
  }
  // The segment's access rights are looked at: CS's always, others' where usable.
  [[nodiscard]] bool looked_at(arch::Segment segment) const {
    return !v86() && (segment == arch::Segment::kCs || usable(segment));
  }
  // L2 will be in 64-bit mode.
  [[nodiscard]] bool guest64() const {
    return ia32e_guest() && (rights(arch::Segment::kCs) & arch::ar::kLong) != 0;
  }

  [[nodiscard]] InterruptionInfo event() const { return {read(fields::kEntryInterruptionInfo)}; }
  [[nodiscard]] bool injects(EventType type) const {
    return event().valid() && event().type() == type;
  }
  [[nodiscard]] bool blocked(std::uint32_t mask) const {
    return any(fields::kGuestInterruptibilityState, mask);
  }
  [[nodiscard]] bool activity(ActivityState state) const {
    return read(fields::kGuestActivityState) == static_cast<std::uint32_t>(state);
  }

 private:
  template <class T>
  [[nodiscard]] bool any(Field<T> field, typename Field<T>::Value mask) const {
    return (read(field) & mask) != 0;
  }

  View& view_;
  Memory& memory_;
};

}  // namespace archelon::vmx::checks
