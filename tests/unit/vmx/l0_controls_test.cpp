#include "vmx/l0_controls.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "tests/support/l0_policy.hpp"
#include "tests/support/machine_capabilities.hpp"
#include "vmx/l1_capabilities.hpp"
#include "vmx/requirements.hpp"

using namespace archelon;
using namespace archelon::vmx;

namespace {

struct Request {
  ControlWord word;
  ControlRequest request;
};
constexpr Request kRequests[] = {{ControlWord::kPin, kL0Pin},
                                 {ControlWord::kPrimary, kL0Primary},
                                 {ControlWord::kSecondary, kL0Secondary},
                                 {ControlWord::kExit, kL0Exit},
                                 {ControlWord::kEntry, kL0Entry}};

RequirementNames missing_on(const Capabilities& caps) {
  return missing_requirements(
      caps, arch::msr::kFeatureControlLocked | arch::msr::kFeatureControlVmxOutsideSmx,
      {.eax = 0, .ebx = 0, .ecx = arch::cpuid::k1EcxVmx, .edx = 0});
}

}  // namespace

TEST_CASE("a CPU that lacks a control which L0 must set is refused, with the control's name") {
  for (const Request& r : kRequests) {
    for (const ControlBit& control : control_bits(r.word)) {
      Capabilities poor = test::machine_capabilities();
      if ((control.mask & poor.control(r.word).must) != 0) {
        continue;
      }
      test::take_away(poor, r.word, control.mask);
      INFO(std::string(control.name));
      const bool must = (r.request.must & control.mask) != 0;
      CHECK(test::l0_policy_on(poor).has_value() == !must);
      const RequirementNames missing = missing_on(poor);
      if (must) {
        REQUIRE(missing.size() == 1);
        CHECK(missing[0] == control.name);
      } else if ((r.request.want & control.mask) != 0 && !missing.empty()) {
        CHECK(missing[0] == control.name);  // wanted here, needed for something else
      }
    }
  }
}

TEST_CASE("no guest has an interrupt, a port, an MSR or the machine's idle state to itself") {
  const L0Policy l0 = *test::l0_policy_on(test::machine_capabilities());
  CHECK((l0.pin & 0x09) == 0x09);                      // external interrupts, NMIs
  CHECK((l0.primary & (1u << 24)) != 0);               // I/O
  CHECK((l0.primary & (1u << 25)) == 0);               // and no bitmap that lets a port through
  CHECK((l0.primary & (1u << 28)) != 0);               // MSRs by bitmap
  CHECK((l0.primary & (1u << 7)) != 0);                // HLT
  CHECK((l0.primary & 0x2000'0c00u) == 0x2000'0c00u);  // MONITOR, MWAIT, RDPMC
  CHECK((l0.primary & 0x0018'0000u) == 0x0018'0000u);  // CR8
  CHECK((l0.secondary & 0x82) == 0x82);                // EPT, unrestricted guest
}

TEST_CASE("time, page tables, debug registers and pauses are a guest's own") {
  const L0Policy l0 = *test::l0_policy_on(test::machine_capabilities());
  CHECK((l0.primary &
         (primary::kRdtscExiting | primary::kInvlpgExiting | primary::kCr3LoadExiting |
          primary::kCr3StoreExiting | primary::kMovDrExiting | primary::kPauseExiting)) == 0);
  CHECK((l0.exception_bitmap & (1u << 14)) == 0);
}

TEST_CASE("L0 can run on the CPU that it shows to L1: recursion") {
  const Capabilities l1 = l1_capabilities(test::machine_capabilities());
  CHECK(missing_on(l1).empty());
  const auto on_l1 = test::l0_policy_on(l1);
  const auto on_machine = test::l0_policy_on(test::machine_capabilities());
  REQUIRE(on_l1.has_value());
  CHECK(on_l1->pin == on_machine->pin);
  CHECK(on_l1->primary == on_machine->primary);
  CHECK(on_l1->secondary == on_machine->secondary);
  CHECK(on_l1->exit == on_machine->exit);
  CHECK(on_l1->entry == on_machine->entry);
}
