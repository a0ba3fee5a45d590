#pragma once

#include <concepts>
#include <cstddef>

#include "vmx/checks/check_context.hpp"
#include "vmx/checks/entry_rule.hpp"
#include "vmx/checks/rule_lists.hpp"
#include "vmx/checks/verdict.hpp"
#include "vmx/field_groups.hpp"

// The checks of a VM entry. SDM vol. 3C, "VM Entries": "Checks on VMX Controls and Host-State
// Area", "Checks on the Guest State Area".
namespace archelon::vmx {

template <class V>
concept ReadableVmcs = requires(V& view) {
  { view.read(fields::kVpid) } -> std::same_as<std::uint16_t>;
  { view.read(fields::kPinControls) } -> std::same_as<std::uint32_t>;
  { view.read(fields::kEptPointer) } -> std::same_as<std::uint64_t>;
  { view.read(fields::kGuestRip) } -> std::same_as<std::uint64_t>;
};

namespace checks {

// True where the CPU is sure to check, instead of L0, what looks at `fields`.
[[nodiscard]] bool is_left_to_cpu(const FieldSet& fields, const CheckScope& scope);

template <class List, class Rule>
[[nodiscard]] bool in_scope(const CheckScope& scope) {
  constexpr bool kMayBeLeft = stage_of(List::kValue.section) == CheckStage::kGuest;
  return Rule::kValue.reads_memory ||
         (meets<Rule>(scope.changed) && !(kMayBeLeft && meets<Rule>(scope.elsewhere) &&
                                          is_left_to_cpu(Rule::kValue.fields, scope)));
}

}  // namespace checks

// Makes the checks in the SDM's order and stops at the first that fails. `view` answers for the
// VMCS, `memory` for L1's physical memory, `caps` are the capability MSRs that L1 sees.
template <ReadableVmcs View, PhysicalMemory<Gpa1> Memory>
[[nodiscard]] Verdict check_entry(View& view, Memory& memory, const Capabilities& caps,
                                  const CheckEnvironment& environment,
                                  const CheckScope& scope = {}) {
  const checks::CheckContext<View, Memory> context(view, memory, caps, environment);
  Verdict verdict;
  checks::any_list([&]<class List>(List list) {
    if (!List::kValue.reads_memory && !checks::meets<List>(scope.changed)) {
      return false;
    }
    return checks::any_rule(list, [&]<class Rule>(Rule) {
      if (!checks::in_scope<List, Rule>(scope) || Rule::kValue.holds(context)) {
        return false;
      }
      verdict.failed = Rule::kValue.id;
      return true;
    });
  });
  return verdict;
}

// The same, given the groups of fields that changed.
template <ReadableVmcs View, PhysicalMemory<Gpa1> Memory>
[[nodiscard]] Verdict check_entry(View& view, Memory& memory, const Capabilities& caps,
                                  const CheckEnvironment& environment, GroupMask changed) {
  CheckScope scope{.changed = {}, .elsewhere = {}, .verbatim = {}};
  for (std::size_t group = 0; group < kFieldGroupCount; ++group) {
    if ((changed >> group & 1) != 0) {
      scope.changed |= fields_of(static_cast<FieldGroup>(group));
    }
  }
  return check_entry(view, memory, caps, environment, scope);
}

// Makes all checks and calls visit(const EntryRule&) for each that fails, in order.
template <ReadableVmcs View, PhysicalMemory<Gpa1> Memory, class Visit>
void all_failures(View& view, Memory& memory, const Capabilities& caps,
                  const CheckEnvironment& environment, Visit&& visit) {
  const checks::CheckContext<View, Memory> context(view, memory, caps, environment);
  checks::any_list([&](auto list) {
    return checks::any_rule(list, [&](auto of) {
      if (!of.kValue.holds(context)) {
        visit(entry_rule(of.kValue.id));
      }
      return false;
    });
  });
}

// Makes one check; true where the VMCS passes it.
template <ReadableVmcs View, PhysicalMemory<Gpa1> Memory>
[[nodiscard]] bool rule_holds(RuleId id, View& view, Memory& memory, const Capabilities& caps,
                              const CheckEnvironment& environment) {
  const checks::CheckContext<View, Memory> context(view, memory, caps, environment);
  bool holds = true;
  checks::any_list([&](auto list) {
    return checks::any_rule(list, [&](auto of) {
      if (of.kValue.id != id) {
        return false;
      }
      holds = of.kValue.holds(context);
      return true;
    });
  });
  return holds;
}

}  // namespace archelon::vmx
