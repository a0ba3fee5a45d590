#include "vmx/field_exists.hpp"

namespace archelon::vmx {
namespace {

struct Condition {
  std::uint32_t first;
  std::uint32_t last;
  ControlWord word;
  std::uint64_t any_of;
};

constexpr Condition when(auto field, ControlWord word, std::uint64_t any_of) {
  return {field.encoding, field.encoding, word, any_of};
}
constexpr Condition when(auto first, auto last, ControlWord word, std::uint64_t any_of) {
  return {first.encoding, last.encoding, word, any_of};
}

using namespace fields;
constexpr ControlWord kPin = ControlWord::kPin;
constexpr ControlWord kPrimary = ControlWord::kPrimary;
constexpr ControlWord kSecondary = ControlWord::kSecondary;
constexpr ControlWord kTertiary = ControlWord::kTertiary;
constexpr ControlWord kExit = ControlWord::kExit;
constexpr ControlWord kEntry = ControlWord::kEntry;

// Fields not named here exist always. A field under several conditions exists when any holds.
constexpr Condition kConditions[] = {
    when(kVpid, kSecondary, secondary::kEnableVpid),
    when(kPostedInterruptVector, kPin, pin::kPostedInterrupts),
    when(kEptpIndex, kSecondary, secondary::kEptViolationVe),
    when(kHlatPrefixSize, kTertiary, tertiary::kEnableHlat),
    when(kLastPidPointerIndex, kTertiary, tertiary::kIpiVirtualization),
    when(kGuestInterruptStatus, kSecondary, secondary::kVirtualInterruptDelivery),
    when(kPmlIndex, kSecondary, secondary::kEnablePml),
    when(kGuestUinv, kExit, exit_controls::kClearUinv),
    when(kGuestUinv, kEntry, entry_controls::kLoadUinv),
    when(kMsrBitmaps, kPrimary, primary::kMsrBitmaps),
    when(kPmlAddress, kSecondary, secondary::kEnablePml),
    when(kVirtualApicAddress, kPrimary, primary::kTprShadow),
    when(kApicAccessAddress, kSecondary, secondary::kVirtualizeApicAccesses),
    when(kPostedInterruptDescriptorAddress, kPin, pin::kPostedInterrupts),
    when(kVmFunctionControls, kSecondary, secondary::kEnableVmFunctions),
    when(kEptPointer, kSecondary, secondary::kEnableEpt),
    when(kEoiExitBitmap0, kEoiExitBitmap3, kSecondary, secondary::kVirtualInterruptDelivery),
    when(kVmreadBitmapAddress, kVmwriteBitmapAddress, kSecondary, secondary::kVmcsShadowing),
    when(kVeInformationAddress, kSecondary, secondary::kEptViolationVe),
    when(kXssExitingBitmap, kSecondary, secondary::kEnableXsaves),
    when(kEnclsExitingBitmap, kSecondary, secondary::kEnableEnclsExiting),
    when(kSubPagePermissionTablePointer, kSecondary, secondary::kSubPageWritePermissions),
    when(kTscMultiplier, kSecondary, secondary::kTscScaling),
    when(kTertiaryProcControls, kPrimary, primary::kActivateTertiary),
    when(kEnclvExitingBitmap, kSecondary, secondary::kEnableEnclvExiting),
    when(kLowPasidDirectoryAddress, kHighPasidDirectoryAddress, kSecondary,
         secondary::kPasidTranslation),
    when(kPconfigExitingBitmap, kSecondary, secondary::kEnablePconfig),
    when(kHlatPointer, kTertiary, tertiary::kEnableHlat),
    when(kPidPointerTableAddress, kTertiary, tertiary::kIpiVirtualization),
    when(kSecondaryExitControls, kExit, exit_controls::kActivateSecondary),
    when(kSpecCtrlMask, kSpecCtrlShadow, kTertiary, tertiary::kVirtualizeSpecCtrl),
    when(kInjectedEventData, kEntry, entry_controls::kLoadFred),
    when(kGuestPhysicalAddress, kSecondary, secondary::kEnableEpt),
    when(kOriginalEventData, kEntry, entry_controls::kLoadFred),
    when(kGuestPat, kExit, exit_controls::kSavePat),
    when(kGuestPat, kEntry, entry_controls::kLoadPat),
    when(kGuestEfer, kExit, exit_controls::kSaveEfer),
    when(kGuestEfer, kEntry, entry_controls::kLoadEfer),
    when(kGuestPerfGlobalCtrl, kEntry, entry_controls::kLoadPerfGlobalCtrl),
    when(kGuestPdpte0, kGuestPdpte3, kSecondary, secondary::kEnableEpt),
    when(kGuestBndCfgs, kExit, exit_controls::kClearBndCfgs),
    when(kGuestBndCfgs, kEntry, entry_controls::kLoadBndCfgs),
    when(kGuestRtitCtl, kExit, exit_controls::kClearRtitCtl),
    when(kGuestRtitCtl, kEntry, entry_controls::kLoadRtitCtl),
    when(kGuestLbrCtl, kExit, exit_controls::kClearLbrCtl),
    when(kGuestLbrCtl, kEntry, entry_controls::kLoadLbrCtl),
    when(kGuestPkrs, kEntry, entry_controls::kLoadPkrs),
    when(kGuestFredConfig, kGuestFredSsp3, kEntry, entry_controls::kLoadFred),
    when(kGuestSpecCtrl, kTertiary, tertiary::kVirtualizeSpecCtrl),
    when(kGuestSpecCtrl, kEntry, entry_controls::kLoadSpecCtrl),
    when(kHostPat, kExit, exit_controls::kLoadPat),
    when(kHostEfer, kExit, exit_controls::kLoadEfer),
    when(kHostPerfGlobalCtrl, kExit, exit_controls::kLoadPerfGlobalCtrl),
    when(kHostPkrs, kExit, exit_controls::kLoadPkrs),
    when(kHostFredConfig, kHostFredSsp3, kEntry, entry_controls::kLoadFred),
    when(kHostSpecCtrl, kEntry, entry_controls::kLoadSpecCtrl),
    when(kTprThreshold, kPrimary, primary::kTprShadow),
    when(kSecondaryProcControls, kPrimary, primary::kActivateSecondary),
    when(kPleGap, kPleWindow, kSecondary, secondary::kPauseLoopExiting),
    when(kInstructionTimeoutControl, kSecondary, secondary::kInstructionTimeout),
    when(kPreemptionTimerValue, kPin, pin::kPreemptionTimer),
    when(kGuestSCet, kGuestInterruptSspTable, kEntry, entry_controls::kLoadCetState),
    when(kHostSCet, kHostInterruptSspTable, kExit, exit_controls::kLoadCetState),
};

// The two that hang on other MSRs than control words'.
bool eptp_list_exists(const Capabilities& caps) {
  return (caps[arch::msr::kVmxVmfunc] & bit(0)) != 0;
}
bool shared_ept_pointer_exists() {
  return false;  // SEAM only
}

}  // namespace

bool field_exists(std::uint32_t encoding, const Capabilities& caps) {
  if (!field_position(encoding)) {
    return false;
  }
  const std::uint32_t full = encoding & ~std::uint32_t{1};
  if (full == kEptpListAddress.encoding) {
    return eptp_list_exists(caps);
  }
  if (full == kSharedEptPointer.encoding) {
    return shared_ept_pointer_exists();
  }
  bool conditional = false;
  for (const Condition& condition : kConditions) {
    if (full < condition.first || full > condition.last) {
      continue;
    }
    conditional = true;
    if ((caps.control(condition.word).may & condition.any_of) != 0) {
      return true;
    }
  }
  return !conditional;
}

FieldSet existing_fields(const Capabilities& caps) {
  FieldSet set;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    if (field_exists(kFieldNames[i].encoding, caps)) {
      set.add(i);
    }
  }
  return set;
}

std::uint64_t highest_field_index(const Capabilities& caps) {
  std::uint64_t highest = 0;
  for (const FieldName& field : kFieldNames) {
    if (field_index(field.encoding) > highest && field_exists(field.encoding, caps)) {
      highest = field_index(field.encoding);
    }
  }
  return highest;
}

}  // namespace archelon::vmx
