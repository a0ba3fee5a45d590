#include "vmx/capabilities.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>

#include "tests/support/machine_capabilities.hpp"
#include "vmx/requirements.hpp"

using namespace archelon;
using namespace archelon::vmx;
namespace msr = archelon::arch::msr;

namespace {

// Counts what is read, and fails the test on an MSR that would #GP.
struct FakePort {
  Capabilities machine;
  std::map<std::uint32_t, int> reads;

  std::uint64_t read(std::uint32_t index) {
    ++reads[index];
    REQUIRE(machine.read_msr(index).has_value());
    return machine[index];
  }
};

bool names(const RequirementNames& missing, std::string_view name) {
  for (const std::string_view m : missing) {
    if (m == name) {
      return true;
    }
  }
  return false;
}

const arch::CpuidResult kWithVmx{.eax = 0, .ebx = 0, .ecx = arch::cpuid::k1EcxVmx, .edx = 0};

}  // namespace

TEST_CASE("only MSRs that exist are read") {
  FakePort port{.machine = test::machine_capabilities(), .reads = {}};
  CHECK(read_capabilities(port) == port.machine);
  CHECK(port.reads.count(msr::kVmxProcbasedCtls3) == 0);  // no tertiary controls
  CHECK(port.reads.count(msr::kVmxVmfunc) == 1);

  FakePort old{.machine = test::machine_capabilities(), .reads = {}};
  old.machine[msr::kVmxBasic] &= ~basic::kTrueControls;
  test::take_away(old.machine, ControlWord::kPrimary, primary::kActivateSecondary);
  const Capabilities caps = read_capabilities(old);
  CHECK(old.reads.count(msr::kVmxTruePinbasedCtls) == 0);
  CHECK(old.reads.count(msr::kVmxProcbasedCtls2) == 0);
  CHECK(old.reads.count(msr::kVmxEptVpidCap) == 0);
  CHECK(caps.control(ControlWord::kSecondary).may == 0u);
}

TEST_CASE("control limits come from the TRUE MSRs where there are such") {
  Capabilities caps = test::machine_capabilities();
  CHECK(caps.control(ControlWord::kPrimary).can_clear(primary::kCr3LoadExiting));
  caps[msr::kVmxBasic] &= ~basic::kTrueControls;
  CHECK_FALSE(caps.control(ControlWord::kPrimary).can_clear(primary::kCr3LoadExiting));
  CHECK(caps.control(ControlWord::kPin).allows(0x16));
  CHECK_FALSE(caps.control(ControlWord::kPin).allows(0x06));
  CHECK_FALSE(caps.control(ControlWord::kPin).allows(0x116));
  CHECK(caps.cr3_targets() == 4);
  CHECK(caps.preemption_timer_rate() == 7);
  CHECK(caps.max_msr_list() == 512);
}

TEST_CASE("clamp forces, grants and refuses") {
  const ControlCapability capability{.must = 0x16, .may = 0x7f};
  CHECK(clamp(0x01, 0x108, capability).value() == 0x1fu);  // 0x100 is wanted but not there
  const auto refused = clamp(0x181, 0, capability);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error() == 0x180u);
}

TEST_CASE("two CPUs that differ are told apart by the first MSR") {
  const Capabilities a = test::machine_capabilities();
  Capabilities b = a;
  CHECK(agree(a, b));
  b[msr::kVmxMisc] ^= 1;
  b[msr::kVmxVmfunc] = 0;
  CHECK_FALSE(agree(a, b));
  CHECK(first_disagreement(a, b) == msr::kVmxMisc);
}

TEST_CASE("minimum requirements are named when missing") {
  const Capabilities machine = test::machine_capabilities();
  const auto locked_on = msr::kFeatureControlLocked | msr::kFeatureControlVmxOutsideSmx;
  CHECK(missing_requirements(machine, locked_on, kWithVmx).empty());
  CHECK(missing_requirements(machine, 0, kWithVmx).empty());  // unlocked: L0 turns it on
  CHECK(names(missing_requirements(machine, 0, arch::CpuidResult{}), "VMX (CPUID.1:ECX.VMX)"));
  CHECK(missing_requirements(machine, msr::kFeatureControlLocked, kWithVmx).size() == 1);

  Capabilities poor = machine;
  test::take_away(poor, ControlWord::kSecondary,
                  secondary::kEnableEpt | secondary::kUnrestrictedGuest);
  poor[msr::kVmxEptVpidCap] &= ~ept_vpid::kMemoryWb;
  const auto missing = missing_requirements(poor, locked_on, kWithVmx);
  CHECK(missing.size() == 3);
  CHECK(names(missing, "enable EPT"));
  CHECK(names(missing, "unrestricted guest"));
  CHECK(names(missing, "EPT paging structures in write-back memory"));

  // A CPU with VMX and nothing else overflows no list.
  CHECK(missing_requirements(Capabilities{}, locked_on, kWithVmx).size() > 20);
  CHECK(names(missing_optional_features(Capabilities{}), "enable VPID"));
  CHECK(missing_optional_features(machine).empty());
}
