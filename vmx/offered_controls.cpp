#include "vmx/offered_controls.hpp"

namespace archelon::vmx {
namespace {

constexpr std::string_view kUnion = "union of intercepts; reflected when L1's bit is set";
constexpr std::string_view kGuestFeature = "passed on; the guest sees it when L1 allows it";
constexpr std::string_view kEntryState = "emulated from VMCS12 at nested entry";
constexpr std::string_view kExitState = "emulated from VMCS12 at nested exit";

constexpr std::string_view kApicPages = "needs the virtual-APIC and APIC-access pages composed";
constexpr std::string_view kNoPt = "Intel PT is not given to guests";
constexpr std::string_view kNoSgx = "SGX is not given to guests";
constexpr std::string_view kNoCpuid = "the instructions are hidden from L1 by CPUID";
constexpr std::string_view kNoPerfmon = "performance counters are not given to guests";
constexpr std::string_view kNoMpx = "MPX is not given to guests";
constexpr std::string_view kNoCet = "CET state is not switched between levels";
constexpr std::string_view kNoPks = "PKRS is not switched between levels";
constexpr std::string_view kNoUintr = "user interrupts are not given to guests";
constexpr std::string_view kNoLbr = "architectural LBRs are not given to guests";
constexpr std::string_view kNoFred = "FRED is not given to guests";
constexpr std::string_view kNoHlat = "HLAT paging is not composed";
constexpr std::string_view kNoDualMonitor = "SMM monitors are not supported";

constexpr ControlWord kPin = ControlWord::kPin;
constexpr ControlWord kPrimary = ControlWord::kPrimary;
constexpr ControlWord kSecondary = ControlWord::kSecondary;
constexpr ControlWord kTertiary = ControlWord::kTertiary;
constexpr ControlWord kExit = ControlWord::kExit;
constexpr ControlWord kEntry = ControlWord::kEntry;

constexpr OfferedControl kTable[] = {
    {kPin, pin::kExternalInterruptExiting, true, "always on for L0; reflected for L1's interrupts"},
    {kPin, pin::kNmiExiting, true, "always on for L0; reflected for L1's NMIs"},
    {kPin, pin::kVirtualNmis, true, "passed on, with NMI blocking kept per level"},
    {kPin, pin::kPreemptionTimer, true, "L1's value, or L0's own deadline where that is sooner"},
    {kPin, pin::kPostedInterrupts, false, "needs the posted-interrupt descriptor composed"},

    {kPrimary, primary::kInterruptWindowExiting, true, kUnion},
    {kPrimary, primary::kTscOffsetting, true, "offsets of both levels added"},
    {kPrimary, primary::kHltExiting, true, kUnion},
    {kPrimary, primary::kInvlpgExiting, true, kUnion},
    {kPrimary, primary::kMwaitExiting, true, kUnion},
    {kPrimary, primary::kRdpmcExiting, true, kUnion},
    {kPrimary, primary::kRdtscExiting, true, kUnion},
    {kPrimary, primary::kCr3LoadExiting, true, kUnion},
    {kPrimary, primary::kCr3StoreExiting, true, kUnion},
    {kPrimary, primary::kActivateTertiary, false, "no tertiary control is offered"},
    {kPrimary, primary::kCr8LoadExiting, true, kUnion},
    {kPrimary, primary::kCr8StoreExiting, true, kUnion},
    {kPrimary, primary::kTprShadow, true, "L1's virtual-APIC page, translated by EPT01"},
    {kPrimary, primary::kNmiWindowExiting, true, kUnion},
    {kPrimary, primary::kMovDrExiting, true, kUnion},
    {kPrimary, primary::kUnconditionalIoExiting, true, kUnion},
    {kPrimary, primary::kIoBitmaps, true, "every port exits; L1's bitmaps decide whose it is"},
    {kPrimary, primary::kMonitorTrapFlag, false, "needs pending MTF exits kept per level"},
    {kPrimary, primary::kMsrBitmaps, true, "union of both levels' bitmaps"},
    {kPrimary, primary::kMonitorExiting, true, kUnion},
    {kPrimary, primary::kPauseExiting, true, kUnion},
    {kPrimary, primary::kActivateSecondary, true, "secondary controls are offered"},

    {kSecondary, secondary::kVirtualizeApicAccesses, false, kApicPages},
    {kSecondary, secondary::kEnableEpt, true, "EPT02 composed from EPT12 and EPT01"},
    {kSecondary, secondary::kDescriptorTableExiting, true, kUnion},
    {kSecondary, secondary::kEnableRdtscp, true, kGuestFeature},
    {kSecondary, secondary::kVirtualizeX2apicMode, false, kApicPages},
    {kSecondary, secondary::kEnableVpid, true, "L0 runs L2 on a tag of its own"},
    {kSecondary, secondary::kWbinvdExiting, true, kUnion},
    {kSecondary, secondary::kUnrestrictedGuest, true, "passed on"},
    {kSecondary, secondary::kApicRegisterVirtualization, false, kApicPages},
    {kSecondary, secondary::kVirtualInterruptDelivery, false, kApicPages},
    {kSecondary, secondary::kPauseLoopExiting, true, "passed on with L1's gap and window"},
    {kSecondary, secondary::kRdrandExiting, true, kUnion},
    {kSecondary, secondary::kEnableInvpcid, true, kGuestFeature},
    {kSecondary, secondary::kEnableVmFunctions, false, "needs the EPTP list composed"},
    {kSecondary, secondary::kVmcsShadowing, false, "needs L1's shadow VMCS kept as software state"},
    {kSecondary, secondary::kEnableEnclsExiting, false, kNoSgx},
    {kSecondary, secondary::kRdseedExiting, true, kUnion},
    {kSecondary, secondary::kEnablePml, false, "needs L1's log filled from EPT02's dirty flags"},
    {kSecondary, secondary::kEptViolationVe, false, "needs L1's information page translated"},
    {kSecondary, secondary::kConcealVmxFromPt, false, kNoPt},
    {kSecondary, secondary::kEnableXsaves, true, "bitmaps of both levels united"},
    {kSecondary, secondary::kPasidTranslation, false, kNoCpuid},
    {kSecondary, secondary::kModeBasedExecute, false, "needs two execute rights in EPT02"},
    {kSecondary, secondary::kSubPageWritePermissions, false, "needs the SPP table composed"},
    {kSecondary, secondary::kPtUsesGuestPhysical, false, kNoPt},
    {kSecondary, secondary::kTscScaling, false, "needs the multipliers of both levels composed"},
    {kSecondary, secondary::kEnableUserWaitPause, false, kNoCpuid},
    {kSecondary, secondary::kEnablePconfig, false, kNoCpuid},
    {kSecondary, secondary::kEnableEnclvExiting, false, kNoSgx},
    {kSecondary, secondary::kBusLockDetection, false, "bus locks are not reported to L1"},
    {kSecondary, secondary::kInstructionTimeout, false, "the timeout is not composed"},

    {kTertiary, tertiary::kLoadiwkeyExiting, false, kNoCpuid},
    {kTertiary, tertiary::kEnableHlat, false, kNoHlat},
    {kTertiary, tertiary::kEptPagingWrite, false, kNoHlat},
    {kTertiary, tertiary::kGuestPagingVerification, false, kNoHlat},
    {kTertiary, tertiary::kIpiVirtualization, false, "needs the PID-pointer table composed"},
    {kTertiary, tertiary::kEnableMsrList, false, kNoCpuid},
    {kTertiary, tertiary::kVirtualizeSpecCtrl, false,
     "needs mask and shadow of both levels composed"},

    {kExit, exit_controls::kSaveDebugControls, true, kExitState},
    {kExit, exit_controls::kHostAddressSpaceSize, true, kExitState},
    {kExit, exit_controls::kLoadPerfGlobalCtrl, false, kNoPerfmon},
    {kExit, exit_controls::kAckInterruptOnExit, true, "acknowledged at L1's emulated APIC"},
    {kExit, exit_controls::kSavePat, true, kExitState},
    {kExit, exit_controls::kLoadPat, true, kExitState},
    {kExit, exit_controls::kSaveEfer, true, kExitState},
    {kExit, exit_controls::kLoadEfer, true, kExitState},
    {kExit, exit_controls::kSavePreemptionTimer, true, kExitState},
    {kExit, exit_controls::kClearBndCfgs, false, kNoMpx},
    {kExit, exit_controls::kConcealVmxFromPt, false, kNoPt},
    {kExit, exit_controls::kClearRtitCtl, false, kNoPt},
    {kExit, exit_controls::kClearLbrCtl, false, kNoLbr},
    {kExit, exit_controls::kClearUinv, false, kNoUintr},
    {kExit, exit_controls::kLoadCetState, false, kNoCet},
    {kExit, exit_controls::kLoadPkrs, false, kNoPks},
    {kExit, exit_controls::kSavePerfGlobalCtrl, false, kNoPerfmon},
    {kExit, exit_controls::kActivateSecondary, false, "no secondary exit control is offered"},

    {kEntry, entry_controls::kLoadDebugControls, true, kEntryState},
    {kEntry, entry_controls::kIa32eModeGuest, true, kEntryState},
    {kEntry, entry_controls::kEntryToSmm, false, kNoDualMonitor},
    {kEntry, entry_controls::kDeactivateDualMonitor, false, kNoDualMonitor},
    {kEntry, entry_controls::kLoadPerfGlobalCtrl, false, kNoPerfmon},
    {kEntry, entry_controls::kLoadPat, true, kEntryState},
    {kEntry, entry_controls::kLoadEfer, true, kEntryState},
    {kEntry, entry_controls::kLoadBndCfgs, false, kNoMpx},
    {kEntry, entry_controls::kConcealVmxFromPt, false, kNoPt},
    {kEntry, entry_controls::kLoadRtitCtl, false, kNoPt},
    {kEntry, entry_controls::kLoadUinv, false, kNoUintr},
    {kEntry, entry_controls::kLoadCetState, false, kNoCet},
    {kEntry, entry_controls::kLoadLbrCtl, false, kNoLbr},
    {kEntry, entry_controls::kLoadPkrs, false, kNoPks},
    {kEntry, entry_controls::kLoadFred, false, kNoFred},
    {kEntry, entry_controls::kLoadSpecCtrl, false, "IA32_SPEC_CTRL is switched by MSR areas alone"},
};

}  // namespace

std::span<const OfferedControl> offered_controls() {
  return kTable;
}

}  // namespace archelon::vmx
