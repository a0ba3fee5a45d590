#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/unit/vmx/checks/entry_case.hpp"
#include "vmx/checks/describe.hpp"
#include "vmx/checks/fetching_view.hpp"
#include "vmx/vmcs12.hpp"

using namespace archelon;
using namespace archelon::vmx;
using archelon::test::EntryCase;
namespace f = vmx::fields;

TEST_CASE("a check of an entry says how the entry ends") {
  EntryCase c = test::make_case(test::Base::kLong);
  c.set(f::kGuestRflags, 0);
  CHECK(c.check().stage() == CheckStage::kGuest);
  CHECK(c.check().qualification() == entry_failure::kDefault);
  c.set(f::kHostCsSelector, 0);
  CHECK(c.check().stage() == CheckStage::kHost);
  CHECK(c.check().error() == InstructionError::kEntryInvalidHostState);
  c.set(f::kCr3TargetCount, 5);
  CHECK(c.check().stage() == CheckStage::kControls);
  CHECK(c.check().error() == InstructionError::kEntryInvalidControls);
  CHECK(c.failures() ==
        std::vector{RuleId::kCr3TargetCount, RuleId::kHostCsNull, RuleId::kGuestRflagsFixed});

  CHECK(entry_rule(RuleId::kGuestPdpte3).qualification == 2);
  CHECK(entry_rule(RuleId::kPdptesInMemory).qualification == 2);
  CHECK(entry_rule(RuleId::kBlockingStiNmi).qualification == 3);
  CHECK(entry_rule(RuleId::kBlockingMovSsNmi).qualification == 0);
  CHECK(entry_rule(RuleId::kLinkPointerCurrent).qualification == 4);
}

TEST_CASE("a CPU that injects NMIs whatever STI blocks has one check less") {
  EntryCase c = test::make_case(test::Base::kLong);
  c.inject(0x80000202);
  c.add(f::kGuestRflags, arch::rflags::kIf);
  c.set(f::kGuestInterruptibilityState, 1);
  CHECK(c.check().failed == RuleId::kBlockingStiNmi);
  c.env.sti_blocks_nmi = false;
  CHECK(c.check().passed());
}

TEST_CASE("checks of unchanged fields are skipped, those of memory never") {
  EntryCase c = test::make_case(test::Base::kPaeNoEpt);
  const CheckScope nothing{.changed = {}, .elsewhere = {}, .verbatim = {}};
  c.set(f::kPinControls, 0);
  c.set(f::kHostCr0, 0);
  c.set(f::kGuestRflags, 0);
  CHECK(c.check(nothing).passed());
  CHECK(c.check_groups(mask_of(FieldGroup::kExitInfo)).passed());
  CHECK(c.check_groups(mask_of(FieldGroup::kGuestHot)).failed == RuleId::kGuestRflagsFixed);
  CHECK(c.check_groups(mask_of(FieldGroup::kHostState)).failed == RuleId::kHostCr0);
  c.memory.poke(Gpa1(0x2020), 3);
  CHECK(c.check(nothing).failed == RuleId::kPdptesInMemory);
}

TEST_CASE("checks of what only the CPU's VMCS has are left to the CPU where it can make them") {
  EntryCase c = test::make_case(test::Base::kLong);
  c.set(f::kGuestRip, std::uint64_t{1} << 50);  // needs CS.L to be judged
  c.set(f::kGuestActivityState, 1);             // needs SS's DPL
  c.set(f::kGuestSsAccessRights, 0xc0f3);
  CheckScope scope;
  scope.elsewhere = fields_of(FieldGroup::kGuestSegments);
  scope.verbatim = fields_of(FieldGroup::kGuestSegments);
  scope.verbatim |= fields_of(FieldGroup::kGuestHot);
  CHECK(c.check(scope).passed());
  // The CPU does not see the activity state.
  scope.verbatim.remove(position_of(f::kGuestActivityState));
  CHECK(c.check(scope).failed == RuleId::kActivityHltCpl);
  c.set(f::kGuestActivityState, 0);
  CHECK(c.check(scope).passed());
  // Nor RIP.
  scope.verbatim.remove(position_of(f::kGuestRip));
  CHECK(c.check(scope).failed == RuleId::kGuestRip64);
  // A field that is here is checked here.
  c.set(f::kGuestRip, 0);
  c.set(f::kGuestRflags, 0);
  CHECK(c.check(scope).failed == RuleId::kGuestRflagsFixed);
}

TEST_CASE("fields that live in VMCS02 are fetched when they are looked at") {
  Vmcs12 vmcs12;
  vmcs12.reset(Gpa1(0x1000));
  vmcs12.leave_in_vmcs02(kAllFields);
  std::vector<std::size_t> fetched;
  FetchingView view(vmcs12, [&](std::size_t position) {
    fetched.push_back(position);
    vmcs12.fetched(position, 0x1234);
  });
  CHECK(view.read(f::kGuestRip) == 0x1234);
  CHECK(view.read(f::kGuestRip) == 0x1234);
  CHECK(view.read_at(position_of(f::kGuestCsSelector)) == 0x1234);
  CHECK(fetched == std::vector{position_of(f::kGuestRip), position_of(f::kGuestCsSelector)});
}

TEST_CASE("a failed check is described with the values of its fields") {
  std::array<char, kDescriptionSize> text{};
  const auto describe_rule = [&](std::span<char> out, RuleId id) {
    return std::string(describe(out, entry_rule(id), [](std::size_t p) { return p; }));
  };
  const std::string cr3 = describe_rule(text, RuleId::kGuestCr3);
  CHECK(cr3 ==
        "guest CR3 must not have bits beyond the physical-address width (Checks on Guest Control "
        "Registers, Debug Registers, and MSRs): GUEST_CR3=0x" +
            [] {
              std::array<char, 32> number{};
              return std::string(format(number, "{:x}", position_of(f::kGuestCr3)));
            }());
  CHECK(describe_rule(std::span(text).first(20), RuleId::kGuestCr3) == cr3.substr(0, 20));
  for (std::size_t i = 0; i < kRuleCount; ++i) {
    // Sixteen hex digits each: the longest that there can be.
    const std::string_view all = describe(text, entry_rule(static_cast<RuleId>(i)),
                                          [](std::size_t) { return ~std::uint64_t{0}; });
    CHECK(all.size() < text.size());
  }
}
