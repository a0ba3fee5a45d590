#include "vmx/checks/entry_rule.hpp"

#include <array>

#include "hv/base/assert.hpp"
#include "vmx/checks/rule_lists.hpp"

namespace archelon::vmx {
namespace {

// The rules without their predicates; every identifier has one, in the order of RuleId.
constexpr auto kRules = [] {
  std::array<EntryRule, kRuleCount> table{};
  std::size_t count = 0;
  bool in_order = true;
  checks::any_list([&](auto list) {
    checks::any_rule(list, [&](auto of) {
      const auto& rule = of.kValue;
      in_order = in_order && static_cast<std::size_t>(rule.id) == count && count < kRuleCount;
      if (in_order) {
        table[count] = {.id = rule.id,
                        .section = list.kValue.section,
                        .qualification = rule.qualification,
                        .reads_memory = rule.reads_memory,
                        .name = rule.name,
                        .fields = rule.fields};
      }
      ++count;
      return false;
    });
    return false;
  });
  return std::pair(table, in_order && count == kRuleCount);
}();
static_assert(kRules.second, "the lists of rules and RuleId differ");

}  // namespace

std::string_view section_title(CheckSection section) {
  constexpr std::array<std::string_view, kCheckSectionCount> kTitles = {
      "VM-Execution Control Fields",
      "VM-Exit Control Fields",
      "VM-Entry Control Fields",
      "Checks on Host Control Registers, MSRs, and SSP",
      "Checks on Host Segment and Descriptor-Table Registers",
      "Checks Related to Address-Space Size",
      "Checks on Guest Control Registers, Debug Registers, and MSRs",
      "Checks on Guest Segment Registers",
      "Checks on Guest Descriptor-Table Registers",
      "Checks on Guest RIP, RFLAGS, and SSP",
      "Checks on Guest Non-Register State",
      "Checks on Guest Page-Directory-Pointer-Table Entries"};
  return kTitles[static_cast<std::size_t>(section) % kCheckSectionCount];
}

const EntryRule& entry_rule(RuleId id) {
  const auto index = static_cast<std::size_t>(id);
  ARCHELON_ASSERT(index < kRuleCount);
  return kRules.first[index];
}

}  // namespace archelon::vmx
