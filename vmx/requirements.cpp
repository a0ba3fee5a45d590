#include "vmx/requirements.hpp"

#include <algorithm>
#include <span>

#include "hv/arch/msr.hpp"

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

constexpr NeededControl kHardControls[] = {
    {ControlWord::kPin, pin::kExternalInterruptExiting},
    {ControlWord::kPin, pin::kNmiExiting},
    {ControlWord::kPin, pin::kVirtualNmis},
    {ControlWord::kPrimary, primary::kInterruptWindowExiting},
    {ControlWord::kPrimary, primary::kNmiWindowExiting},
    {ControlWord::kPrimary, primary::kTscOffsetting},
    {ControlWord::kPrimary, primary::kHltExiting},
    {ControlWord::kPrimary, primary::kUnconditionalIoExiting},
    {ControlWord::kPrimary, primary::kMsrBitmaps},
    {ControlWord::kPrimary, primary::kActivateSecondary},
    {ControlWord::kSecondary, secondary::kEnableEpt},
    {ControlWord::kSecondary, secondary::kUnrestrictedGuest},
    {ControlWord::kExit, exit_controls::kHostAddressSpaceSize},
    {ControlWord::kExit, exit_controls::kAckInterruptOnExit},
    {ControlWord::kExit, exit_controls::kSavePat},
    {ControlWord::kExit, exit_controls::kLoadPat},
    {ControlWord::kExit, exit_controls::kSaveEfer},
    {ControlWord::kExit, exit_controls::kLoadEfer},
    {ControlWord::kEntry, entry_controls::kIa32eModeGuest},
    {ControlWord::kEntry, entry_controls::kLoadPat},
    {ControlWord::kEntry, entry_controls::kLoadEfer},
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

// The lists together fit in RequirementNames: 3 + 21 + 4 and 15 + 8 names.
static_assert(std::size(kHardControls) + std::size(kHardEpt) + 4 <= RequirementNames::capacity());

void add(RequirementNames& names, std::string_view name) {
  static_cast<void>(names.push_back(name));
}

void add_missing(RequirementNames& names, const Capabilities& caps,
                 std::span<const NeededControl> needed) {
  for (const NeededControl& control : needed) {
    if (!caps.control(control.word).can_set(control.mask)) {
      add(names, control_name(control.word, control.mask));
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
