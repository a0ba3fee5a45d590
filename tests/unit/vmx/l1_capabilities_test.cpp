#include "vmx/l1_capabilities.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "hv/arch/cr.hpp"
#include "tests/support/machine_capabilities.hpp"
#include "vmx/field_exists.hpp"
#include "vmx/fields.hpp"
#include "vmx/offered_controls.hpp"

using namespace archelon;
using namespace archelon::vmx;
namespace msr = archelon::arch::msr;

TEST_CASE("the table of controls names each bit once, with a reason") {
  std::set<std::pair<unsigned, std::uint64_t>> seen;
  for (const OfferedControl& control : offered_controls()) {
    CHECK(seen.emplace(static_cast<unsigned>(control.word), control.mask).second);
    CHECK(control_name(control.word, control.mask) != "reserved");
    CHECK_FALSE(control.reason.empty());
  }
  std::size_t named = 0;
  for (unsigned word = 0; word < kControlWordCount; ++word) {
    named += control_bits(static_cast<ControlWord>(word)).size();
  }
  CHECK(seen.size() == named);
}

TEST_CASE("L1 gets exactly the listed controls of those that the hardware has") {
  for (const bool with_true_controls : {true, false}) {
    Capabilities hardware = test::machine_capabilities();
    if (!with_true_controls) {
      hardware[msr::kVmxBasic] &= ~basic::kTrueControls;
    }
    const Capabilities l1 = l1_capabilities(hardware);
    for (const OfferedControl& control : offered_controls()) {
      const bool has = hardware.control(control.word).can_set(control.mask);
      INFO(std::string(control_name(control.word, control.mask)));
      CHECK(l1.control(control.word).can_set(control.mask) == (has && control.offered));
    }
    for (unsigned i = 0; i < kControlWordCount; ++i) {
      const auto word = static_cast<ControlWord>(i);
      CHECK((l1.control(word).may & ~hardware.control(word).may) == 0u);
      CHECK(l1.control(word).must == hardware.control(word).must);
      CHECK((l1.control(word).must & ~l1.control(word).may) == 0u);
    }
  }
}

TEST_CASE("what the hardware lacks, and what depends on it, is not offered") {
  Capabilities hardware = test::machine_capabilities();
  test::take_away(hardware, ControlWord::kSecondary, secondary::kEnableEpt);
  test::take_away(hardware, ControlWord::kPin, pin::kPreemptionTimer | pin::kVirtualNmis);
  const Capabilities l1 = l1_capabilities(hardware);
  CHECK_FALSE(l1.control(ControlWord::kSecondary).can_set(secondary::kUnrestrictedGuest));
  CHECK_FALSE(l1.control(ControlWord::kExit).can_set(exit_controls::kSavePreemptionTimer));
  CHECK_FALSE(l1.control(ControlWord::kPrimary).can_set(primary::kNmiWindowExiting));
  CHECK((l1[msr::kVmxEptVpidCap] & bit_mask(31, 0)) == 0u);
  CHECK(l1.has_ept_vpid(ept_vpid::kInvvpid));
  CHECK_FALSE(field_exists(fields::kEptPointer.encoding, l1));
  CHECK_FALSE(field_exists(fields::kPreemptionTimerValue.encoding, l1));
}

TEST_CASE("the plain control MSRs keep the default settings") {
  const Capabilities l1 = l1_capabilities(test::machine_capabilities());
  CHECK(bit_field(l1[msr::kVmxPinbasedCtls], 31, 0) == 0x16u);
  CHECK(bit_field(l1[msr::kVmxProcbasedCtls], 31, 0) == 0x0401e172u);
  CHECK(bit_field(l1[msr::kVmxExitCtls], 31, 0) == 0x36dffu);
  CHECK(bit_field(l1[msr::kVmxEntryCtls], 31, 0) == 0x11ffu);
  CHECK(bit_field(l1[msr::kVmxTrueProcbasedCtls], 31, 0) == 0x04006172u);
}

TEST_CASE("the other capability MSRs of L1") {
  const Capabilities hardware = test::machine_capabilities();
  const Capabilities l1 = l1_capabilities(hardware, arch::cr4::kPae | arch::cr4::kSmep);
  CHECK(l1.revision() == kVmcs12Revision);
  CHECK(bit_field(l1[msr::kVmxBasic], 44, 32) == 4096u);
  CHECK((l1[msr::kVmxBasic] & basic::kMemoryType) == basic::kMemoryTypeWb);
  CHECK_FALSE(l1.has(msr::kVmxBasic, basic::kDualMonitor));
  CHECK(l1.has(msr::kVmxBasic, basic::kInsOutsInformation | basic::kTrueControls));
  CHECK(l1.cr3_targets() == 4);
  CHECK(l1.preemption_timer_rate() == hardware.preemption_timer_rate());
  CHECK_FALSE(l1.has(msr::kVmxMisc, misc::kActivityWaitForSipi));
  CHECK_FALSE(l1.has(msr::kVmxMisc, misc::kPtInVmx));
  CHECK(l1[msr::kVmxCr4Fixed1] == (arch::cr4::kPae | arch::cr4::kSmep | arch::cr4::kVmxe));
  CHECK_FALSE(l1.has_ept_vpid(ept_vpid::kAdvancedExitInformation));
  CHECK(l1.has_ept_vpid(ept_vpid::kAccessedDirty | ept_vpid::kInveptSingle));
  CHECK_FALSE(l1.read_msr(msr::kVmxVmfunc).has_value());
  CHECK_FALSE(l1.read_msr(msr::kVmxExitCtls2).has_value());
  CHECK_FALSE(l1.read_msr(0x47f).has_value());
  CHECK_FALSE(l1.read_msr(0x494).has_value());
}

TEST_CASE("offering to L1 what L1 was offered changes nothing: recursion") {
  const Capabilities l1 = l1_capabilities(test::machine_capabilities());
  CHECK(l1_capabilities(l1) == l1);
}

TEST_CASE("fields exist as the offered controls say") {
  const Capabilities l1 = l1_capabilities(test::machine_capabilities());
  CHECK(field_exists(fields::kGuestRip.encoding, l1));
  CHECK(field_exists(fields::kEptPointer.encoding, l1));
  CHECK(field_exists(fields::kEptPointer.encoding + 1, l1));
  CHECK(field_exists(fields::kVpid.encoding, l1));
  CHECK(field_exists(fields::kTprThreshold.encoding, l1));
  CHECK(field_exists(fields::kGuestPat.encoding, l1));
  CHECK_FALSE(field_exists(fields::kEptpListAddress.encoding, l1));
  CHECK_FALSE(field_exists(fields::kVmreadBitmapAddress.encoding, l1));
  CHECK_FALSE(field_exists(fields::kTscMultiplier.encoding, l1));
  CHECK_FALSE(field_exists(fields::kPmlIndex.encoding, l1));
  CHECK_FALSE(field_exists(fields::kHostSsp.encoding, l1));
  CHECK_FALSE(field_exists(fields::kGuestRip.encoding + 1, l1));
  CHECK_FALSE(field_exists(0x6830, l1));

  const FieldSet set = existing_fields(l1);
  std::uint64_t highest = 0;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    const std::uint32_t encoding = kFieldNames[i].encoding;
    CHECK(set.has(i) == field_exists(encoding, l1));
    highest = set.has(i) ? std::max<std::uint64_t>(highest, field_index(encoding)) : highest;
  }
  CHECK(l1[msr::kVmxVmcsEnum] == highest << 1);
  CHECK(highest == 0x17u);  // the preemption timer's value
}
