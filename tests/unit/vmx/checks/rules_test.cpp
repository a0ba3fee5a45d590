#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/unit/vmx/checks/entry_case.hpp"

using namespace archelon;
using namespace archelon::vmx;
using archelon::test::EntryCase;
using archelon::test::Vector;

namespace {

std::string names(const std::vector<RuleId>& ids) {
  std::string text;
  for (const RuleId id : ids) {
    text += std::string(entry_rule(id).name) + "; ";
  }
  return text;
}

FieldSet difference(const EntryCase& a, const EntryCase& b) {
  FieldSet set;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const auto value = [i](const EntryCase& c) {
      const auto at = c.vmcs.values.find(kFieldNames[i].encoding);
      return at == c.vmcs.values.end() ? 0 : at->second;
    };
    if (value(a) != value(b)) {
      set.add(i);
    }
  }
  return set;
}

GroupMask groups_of(const FieldSet& fields) {
  GroupMask mask = 0;
  fields.for_each([&](std::size_t position) { mask |= mask_of(field_group(position)); });
  return mask;
}

}  // namespace

TEST_CASE("every base passes every VM-entry check") {
  for (const test::Base base : test::kBases) {
    EntryCase c = test::make_case(base);
    INFO("base " << static_cast<int>(base) << ": " << names(c.failures()));
    CHECK(c.check().passed());
    CHECK(c.failures().empty());
  }
}

TEST_CASE("every VM-entry check has a vector that breaks it and nothing else") {
  std::set<RuleId> broken;
  std::size_t number = 0;
  for (const Vector& vector : test::all_vectors()) {
    INFO("vector " << number++ << " of: " << entry_rule(vector.breaks).name);
    EntryCase c = test::make_case(vector.base);
    vector.prepare(c);
    const EntryCase good = c;
    INFO("prepared: " << names(c.failures()));
    REQUIRE(c.check().passed());
    REQUIRE(c.failures().empty());
    vector.spoil(c);
    INFO("spoiled: " << names(c.failures()));
    std::vector<RuleId> expected = {vector.breaks};
    expected.insert(expected.end(), vector.also.begin(), vector.also.end());
    CHECK(c.failures() == expected);
    const Verdict verdict = c.check();
    REQUIRE(verdict.failed == vector.breaks);
    broken.insert(vector.breaks);

    // What did not change need not be looked at; what did change suffices.
    if (good.env.in_smm == c.env.in_smm && good.env.long_mode == c.env.long_mode &&
        good.env.current_vmcs == c.env.current_vmcs &&
        good.env.executive_vmcs == c.env.executive_vmcs) {
      const FieldSet changed = difference(good, c);
      CHECK(c.check({.changed = changed, .elsewhere = {}, .verbatim = {}}).failed == vector.breaks);
      CHECK(c.check_groups(groups_of(changed)).failed == vector.breaks);
    }
  }
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    INFO("no vector breaks " << i << ": " << entry_rule(static_cast<RuleId>(i)).name);
    CHECK(broken.contains(static_cast<RuleId>(i)));
  }
}

TEST_CASE("a VM-entry check looks at the fields that it names, and at no other") {
  const auto watch = [](EntryCase& c) {
    for (std::size_t i = 0; i < kRuleCount; ++i) {
      const auto id = static_cast<RuleId>(i);
      c.vmcs.reads.clear();
      c.memory.reads = 0;
      static_cast<void>(c.holds(id));
      for (const std::uint32_t encoding : c.vmcs.reads) {
        if (!entry_rule(id).fields.has(*field_position(encoding))) {
          FAIL(entry_rule(id).name << " reads " << field_name(encoding));
        }
      }
      if (c.memory.reads != 0 && !entry_rule(id).reads_memory) {
        FAIL(entry_rule(id).name << " reads memory");
      }
    }
  };
  for (const Vector& vector : test::all_vectors()) {
    EntryCase c = test::make_case(vector.base);
    vector.prepare(c);
    watch(c);
    vector.spoil(c);
    watch(c);
  }
}

TEST_CASE("names and sections of VM-entry checks are there and differ") {
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    const EntryRule& rule = entry_rule(static_cast<RuleId>(i));
    CHECK(static_cast<std::size_t>(rule.id) == i);
    CHECK(rule.name.size() > 10);
    CHECK(seen.insert(rule.name).second);
    CHECK_FALSE(rule.fields.empty());
    CHECK_FALSE(section_title(rule.section).empty());
  }
  CHECK(entry_rule(RuleId::kGuestDsPresent).name == "guest DS must be present if usable");
}
