#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hv/arch/segment.hpp"
#include "tests/support/fake_memory.hpp"
#include "tests/support/fake_vmcs.hpp"
#include "vmx/capabilities.hpp"
#include "vmx/checks/check_context.hpp"
#include "vmx/checks/verdict.hpp"
#include "vmx/field_groups.hpp"
#include "vmx/interruption.hpp"

// VMCSs that pass every VM-entry check, and vectors that spoil one of them.
namespace archelon::test {

// A VMCS, the memory it refers to, and the CPU that is to enter it.
struct EntryCase {
  FakeVmcs vmcs;
  FakeMemory<Gpa1> memory;
  vmx::Capabilities caps;
  vmx::CheckEnvironment env;

  template <class T>
  void set(vmx::Field<T> field, std::uint64_t value) {
    vmcs.values[field.encoding] = value;
  }
  template <class T>
  [[nodiscard]] std::uint64_t get(vmx::Field<T> field) const {
    const auto at = vmcs.values.find(field.encoding);
    return at == vmcs.values.end() ? 0 : at->second;
  }
  template <class T>
  void add(vmx::Field<T> field, std::uint64_t bits) {
    set(field, get(field) | bits);
  }
  template <class T>
  void drop(vmx::Field<T> field, std::uint64_t bits) {
    set(field, get(field) & ~bits);
  }

  // Sets controls, with the words that activate them.
  void secondary(std::uint32_t bits);
  void tertiary(std::uint64_t bits);
  void secondary_exit(std::uint64_t bits);
  void enable_ept();
  void inject(std::uint32_t word, std::uint32_t error_code = 0, std::uint32_t length = 0);
  void segment(arch::Segment which, const arch::SegmentRegister& value);

  [[nodiscard]] vmx::Verdict check(const vmx::CheckScope& scope = {});
  [[nodiscard]] vmx::Verdict check_groups(vmx::GroupMask changed);
  [[nodiscard]] bool holds(vmx::RuleId id);
  [[nodiscard]] std::vector<vmx::RuleId> failures();
};

// Every control can be set, every optional bit is offered.
[[nodiscard]] vmx::Capabilities generous_capabilities();

enum class Base {
  kLong,         // 64-bit code
  kCompatible,   // IA-32e mode, 32-bit code
  kProtected,    // 32-bit paging
  kPae,          // with EPT: PDPTEs in the VMCS
  kPaeNoEpt,     // PDPTEs in memory
  kReal,         // unrestricted guest
  kVirtual8086,  //
  kLegacyHost,   // a 32-bit hypervisor on a CPU outside IA-32e mode
  kFred,         // 64-bit code with CR4.FRED
};
inline constexpr Base kBases[] = {Base::kLong,        Base::kCompatible, Base::kProtected,
                                  Base::kPae,         Base::kPaeNoEpt,   Base::kReal,
                                  Base::kVirtual8086, Base::kLegacyHost, Base::kFred};

[[nodiscard]] EntryCase make_case(Base base);

using Change = std::function<void(EntryCase&)>;

// `prepare` leaves the base valid; `spoil` then breaks the rule, before any other.
struct Vector {
  vmx::RuleId breaks;
  Base base;
  Change prepare;
  Change spoil;
  std::vector<vmx::RuleId> also = {};  // what cannot be kept whole, in order
};

[[nodiscard]] std::vector<Vector> execution_vectors();
[[nodiscard]] std::vector<Vector> exit_entry_vectors();
[[nodiscard]] std::vector<Vector> host_vectors();
[[nodiscard]] std::vector<Vector> guest_register_vectors();
[[nodiscard]] std::vector<Vector> segment_vectors();
[[nodiscard]] std::vector<Vector> guest_state_vectors();
[[nodiscard]] std::vector<Vector> all_vectors();

inline const Change kNothing = [](EntryCase&) {};
inline constexpr std::uint64_t kNonCanonical = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kBeyond = std::uint64_t{1} << 46;  // the physical-address width

// A vector that writes one field.
template <class T>
[[nodiscard]] Vector spoil_field(vmx::RuleId id, Base base, vmx::Field<T> field,
                                 std::uint64_t value, const Change& prepare = kNothing) {
  return {id, base, prepare, [field, value](EntryCase& c) { c.set(field, value); }};
}

}  // namespace archelon::test
