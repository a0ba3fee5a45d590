#include "vmx/requirements.hpp"

#include <bit>
#include <span>

#include "hv/arch/msr.hpp"
#include "vmx/l0_controls.hpp"

namespace archelon::vmx {
namespace {

namespace msr = arch::msr;

struct NeededControl {
  ControlWord word;
  std::uint64_t mask;
};

struct NeededEptVpid {
  std::uint64_t mask;
  std::string_view name;
};

// Beside those that L0 always sets (l0_controls.hpp).
constexpr NeededControl kHardControls[] = {
    {ControlWord::kPin, pin::kVirtualNmis},
    {ControlWord::kPrimary, primary::kInterruptWindowExiting},
    {ControlWord::kPrimary, primary::kNmiWindowExiting},
    {ControlWord::kEntry, entry_controls::kIa32eModeGuest},
};

constexpr NeededControl kAlwaysSet[] = {
    {ControlWord::kPin, kL0Pin.must},
    {ControlWord::kPrimary, kL0Primary.must},
    {ControlWord::kSecondary, kL0Secondary.must},
    {ControlWord::kExit, kL0Exit.must},
    {ControlWord::kEntry, kL0Entry.must},
};

constexpr NeededEptVpid kHardEpt[] = {
    {ept_vpid::kWalk4, "EPT with a page-walk length of 4"},
    {ept_vpid::kMemoryWb, "EPT paging structures in write-back memory"},
    {ept_vpid::kInvept | ept_vpid::kInveptAll, "INVEPT of all contexts"},
};

constexpr NeededControl kOptionalControls[] = {
    {ControlWord::kPin, pin::kPreemptionTimer},
    {ControlWord::kPrimary, primary::kTprShadow},
    {ControlWord::kPrimary, primary::kIoBitmaps},
    {ControlWord::kSecondary, secondary::kVirtualizeApicAccesses},
    {ControlWord::kSecondary, secondary::kVirtualizeX2apicMode},
    {ControlWord::kSecondary, secondary::kApicRegisterVirtualization},
    {ControlWord::kSecondary, secondary::kVirtualInterruptDelivery},
    {ControlWord::kPin, pin::kPostedInterrupts},
    {ControlWord::kSecondary, secondary::kEnableVpid},
    {ControlWord::kSecondary, secondary::kEnableRdtscp},
    {ControlWord::kSecondary, secondary::kEnableInvpcid},
    {ControlWord::kSecondary, secondary::kEnableXsaves},
    {ControlWord::kSecondary, secondary::kVmcsShadowing},
    {ControlWord::kSecondary, secondary::kTscScaling},
    {ControlWord::kSecondary, secondary::kEnablePml},
};

constexpr NeededEptVpid kOptionalEptVpid[] = {
    {ept_vpid::kExecuteOnly, "EPT execute-only pages"},
    {ept_vpid::kPage2m, "EPT 2-MiB pages"},
    {ept_vpid::kPage1g, "EPT 1-GiB pages"},
    {ept_vpid::kAccessedDirty, "EPT accessed and dirty flags"},
    {ept_vpid::kInveptSingle, "INVEPT of a single context"},
    {ept_vpid::kInvvpid | ept_vpid::kInvvpidAddress, "INVVPID of an address"},
    {ept_vpid::kInvvpid | ept_vpid::kInvvpidSingle, "INVVPID of a single context"},
    {ept_vpid::kInvvpid | ept_vpid::kInvvpidAll, "INVVPID of all contexts"},
};

// The hard lists together fit in RequirementNames, with two names of the VMCS regions.
constexpr std::size_t kMostMissing = [] {
  std::size_t count = 2 + std::size(kHardControls) + std::size(kHardEpt);
  for (const NeededControl& control : kAlwaysSet) {
    count += static_cast<std::size_t>(std::popcount(control.mask));
  }
  return count;
}();
static_assert(kMostMissing <= RequirementNames::capacity());
static_assert(std::size(kOptionalControls) + std::size(kOptionalEptVpid) <=
              RequirementNames::capacity());

void add(RequirementNames& names, std::string_view name) {
  static_cast<void>(names.push_back(name));
}

void add_missing(RequirementNames& names, const Capabilities& caps,
                 std::span<const NeededControl> needed) {
  for (const NeededControl& control : needed) {
    for (std::uint64_t missing = control.mask & ~caps.control(control.word).may; missing != 0;
         missing &= missing - 1) {
      add(names, control_name(control.word, missing));
    }
  }
}

void add_missing(RequirementNames& names, const Capabilities& caps,
                 std::span<const NeededEptVpid> needed) {
  for (const NeededEptVpid& feature : needed) {
    if (!caps.has_ept_vpid(feature.mask)) {
      add(names, feature.name);
    }
  }
}

}  // namespace

RequirementNames missing_requirements(const Capabilities& caps, std::uint64_t feature_control,
                                      const arch::CpuidResult& features) {
  RequirementNames names;
  if ((features.ecx & arch::cpuid::k1EcxVmx) == 0) {
    add(names, "VMX (CPUID.1:ECX.VMX)");
    return names;
  }
  if ((feature_control & msr::kFeatureControlLocked) != 0 &&
      (feature_control & msr::kFeatureControlVmxOutsideSmx) == 0) {
    add(names, "VMX enabled by the firmware (IA32_FEATURE_CONTROL is locked with VMX off)");
    return names;
  }
  if ((caps[msr::kVmxBasic] & basic::kMemoryType) != basic::kMemoryTypeWb) {
    add(names, "VMCS regions in write-back memory");
  }
  if ((caps[msr::kVmxBasic] & basic::kAddresses32Bit) != 0) {
    add(names, "VMCS regions above 4 GiB");
  }
  add_missing(names, caps, kAlwaysSet);
  add_missing(names, caps, kHardControls);
  add_missing(names, caps, kHardEpt);
  return names;
}

RequirementNames missing_optional_features(const Capabilities& caps) {
  RequirementNames names;
  add_missing(names, caps, kOptionalControls);
  add_missing(names, caps, kOptionalEptVpid);
  return names;
}

}  // namespace archelon::vmx
