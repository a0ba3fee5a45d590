#include "vmx/merge.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_vmcs.hpp"
#include "tests/support/l0_policy.hpp"
#include "tests/support/machine_capabilities.hpp"

using namespace archelon;
using namespace archelon::vmx;

namespace {

const L0Policy kL0 = *test::l0_policy_on(test::machine_capabilities());

// VMCS12 with just these controls.
test::FakeVmcs vmcs12_with(std::uint32_t primary_word, std::uint32_t secondary_word = 0) {
  test::FakeVmcs vmcs12;
  vmcs12.write(fields::kPrimaryProcControls, primary_word);
  vmcs12.write(fields::kSecondaryProcControls, secondary_word);
  return vmcs12;
}

}  // namespace

TEST_CASE("an L2 whose L1 wants nothing runs with L0's own controls") {
  test::FakeVmcs vmcs12;
  const MergedControls merged = merge_controls(vmcs12, kL0);
  CHECK(merged.pin == kL0.pin);
  CHECK(merged.primary == kL0.primary);
  CHECK(merged.secondary == (kL0.secondary & ~kL2Features));
  CHECK(merged.exit == kL0.exit);
  CHECK(merged.entry == kL0.entry);
  CHECK(merged.exception_bitmap == kL0.exception_bitmap);
  CHECK(merged.cr0_mask == kL0.cr0_owned);
  CHECK(merged.cr4_mask == kL0.cr4_owned);
  CHECK(merged.tsc_offset == 1000);
}

TEST_CASE("features are L2's where L1 gives them, not because L0 has them") {
  CHECK((kL0.secondary & kL2Features) == kL2Features);
  test::FakeVmcs inactive = vmcs12_with(0, kL2Features);
  CHECK((merge_controls(inactive, kL0).secondary & kL2Features) == 0);
  test::FakeVmcs active = vmcs12_with(primary::kActivateSecondary, kL2Features);
  CHECK((merge_controls(active, kL0).secondary & kL2Features) == kL2Features);
}

TEST_CASE("CR8 is L0's to emulate unless L1 gives L2 a shadow of a TPR") {
  constexpr std::uint32_t kCr8 = primary::kCr8LoadExiting | primary::kCr8StoreExiting;
  test::FakeVmcs none = vmcs12_with(0);
  CHECK((merge_controls(none, kL0).primary & kCr8) == kCr8);
  test::FakeVmcs shadow = vmcs12_with(primary::kTprShadow);
  CHECK((merge_controls(shadow, kL0).primary & kCr8) == 0);
  test::FakeVmcs both = vmcs12_with(primary::kTprShadow | primary::kCr8StoreExiting);
  CHECK((merge_controls(both, kL0).primary & kCr8) == primary::kCr8StoreExiting);
}

TEST_CASE("an L2 that may halt halts in L0") {
  test::FakeVmcs vmcs12 = vmcs12_with(~primary::kHltExiting);
  CHECK((merge_controls(vmcs12, kL0).primary & primary::kHltExiting) != 0);
}

TEST_CASE("TSC offsets add up where L1 uses one") {
  test::FakeVmcs vmcs12 = vmcs12_with(primary::kTscOffsetting);
  vmcs12.write(fields::kTscOffset, ~std::uint64_t{0} - 99);  // -100
  CHECK(merge_controls(vmcs12, kL0).tsc_offset == 900);
  vmcs12.write(fields::kPrimaryProcControls, ~primary::kTscOffsetting);
  CHECK(merge_controls(vmcs12, kL0).tsc_offset == 1000);
}

TEST_CASE("L2's mode is L1's to choose, the rest of the entry is not") {
  test::FakeVmcs vmcs12;
  vmcs12.write(fields::kEntryControls, ~0u);
  vmcs12.write(fields::kExitControls, ~0u);
  const MergedControls merged = merge_controls(vmcs12, kL0);
  CHECK(merged.entry == (kL0.entry | entry_controls::kIa32eModeGuest));
  CHECK(merged.exit == kL0.exit);
}

TEST_CASE("page faults exit for L2 just as L1 chose") {
  CHECK((kL0.exception_bitmap & (1u << 14)) == 0);  // or L1's mask and match would not hold
  test::FakeVmcs vmcs12;
  vmcs12.write(fields::kExceptionBitmap, 1u << 14);
  vmcs12.write(fields::kPageFaultErrorCodeMask, 0x11);
  vmcs12.write(fields::kPageFaultErrorCodeMatch, 0x10);
  const MergedControls merged = merge_controls(vmcs12, kL0);
  CHECK(merged.exception_bitmap == (kL0.exception_bitmap | 1u << 14));
  CHECK(merged.page_fault_mask == 0x11);
  CHECK(merged.page_fault_match == 0x10);
}

TEST_CASE("a control register as the CPU, L1 and L2 have it") {
  // Bits 7:4 are L0's, which keeps bit 4 set; L1 masks bits 5 and 1.
  constexpr ControlRegister kRule{.owned = 0xf0, .fixed = 0x10};
  constexpr std::uint64_t kMask = 0x22;
  constexpr std::uint64_t kShadow = 0x1c;
  constexpr std::uint64_t kRegister = 0xe3;
  CHECK(kRule.hardware(kRegister) == 0x13);
  CHECK(kRule.shadow(kRegister, kMask, kShadow) == 0xc1);
  CHECK(kRule.register12(0x13, 0xc1, kMask, kRegister) == kRegister);
  // L2 cleared bit 0 itself, and bit 7 by L0's hand.
  CHECK(kRule.register12(0x12, 0x41, kMask, kRegister) == 0x62);
}
