#pragma once

// Every bit of the VM-execution, VM-exit and VM-entry control words: X(constant, "SDM's name",
// bit). SDM vol. 3C, "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control
// Fields".
// clang-format off
#define ARCHELON_PIN_CONTROLS(X) \
  X(kExternalInterruptExiting, "external-interrupt exiting", 0) \
  X(kNmiExiting, "NMI exiting", 3) \
  X(kVirtualNmis, "virtual NMIs", 5) \
  X(kPreemptionTimer, "activate VMX-preemption timer", 6) \
  X(kPostedInterrupts, "process posted interrupts", 7)

#define ARCHELON_PRIMARY_CONTROLS(X) \
  X(kInterruptWindowExiting, "interrupt-window exiting", 2) \
  X(kTscOffsetting, "use TSC offsetting", 3) \
  X(kHltExiting, "HLT exiting", 7) \
  X(kInvlpgExiting, "INVLPG exiting", 9) \
  X(kMwaitExiting, "MWAIT exiting", 10) \
  X(kRdpmcExiting, "RDPMC exiting", 11) \
  X(kRdtscExiting, "RDTSC exiting", 12) \
  X(kCr3LoadExiting, "CR3-load exiting", 15) \
  X(kCr3StoreExiting, "CR3-store exiting", 16) \
  X(kActivateTertiary, "activate tertiary controls", 17) \
  X(kCr8LoadExiting, "CR8-load exiting", 19) \
  X(kCr8StoreExiting, "CR8-store exiting", 20) \
  X(kTprShadow, "use TPR shadow", 21) \
  X(kNmiWindowExiting, "NMI-window exiting", 22) \
  X(kMovDrExiting, "MOV-DR exiting", 23) \
  X(kUnconditionalIoExiting, "unconditional I/O exiting", 24) \
  X(kIoBitmaps, "use I/O bitmaps", 25) \
  X(kMonitorTrapFlag, "monitor trap flag", 27) \
  X(kMsrBitmaps, "use MSR bitmaps", 28) \
  X(kMonitorExiting, "MONITOR exiting", 29) \
  X(kPauseExiting, "PAUSE exiting", 30) \
  X(kActivateSecondary, "activate secondary controls", 31)

#define ARCHELON_SECONDARY_CONTROLS(X) \
  X(kVirtualizeApicAccesses, "virtualize APIC accesses", 0) \
  X(kEnableEpt, "enable EPT", 1) \
  X(kDescriptorTableExiting, "descriptor-table exiting", 2) \
  X(kEnableRdtscp, "enable RDTSCP", 3) \
  X(kVirtualizeX2apicMode, "virtualize x2APIC mode", 4) \
  X(kEnableVpid, "enable VPID", 5) \
  X(kWbinvdExiting, "WBINVD exiting", 6) \
  X(kUnrestrictedGuest, "unrestricted guest", 7) \
  X(kApicRegisterVirtualization, "APIC-register virtualization", 8) \
  X(kVirtualInterruptDelivery, "virtual-interrupt delivery", 9) \
  X(kPauseLoopExiting, "PAUSE-loop exiting", 10) \
  X(kRdrandExiting, "RDRAND exiting", 11) \
  X(kEnableInvpcid, "enable INVPCID", 12) \
  X(kEnableVmFunctions, "enable VM functions", 13) \
  X(kVmcsShadowing, "VMCS shadowing", 14) \
  X(kEnableEnclsExiting, "enable ENCLS exiting", 15) \
  X(kRdseedExiting, "RDSEED exiting", 16) \
  X(kEnablePml, "enable PML", 17) \
  X(kEptViolationVe, "EPT-violation #VE", 18) \
  X(kConcealVmxFromPt, "conceal VMX from PT", 19) \
  X(kEnableXsaves, "enable XSAVES/XRSTORS", 20) \
  X(kPasidTranslation, "PASID translation", 21) \
  X(kModeBasedExecute, "mode-based execute control for EPT", 22) \
  X(kSubPageWritePermissions, "sub-page write permissions for EPT", 23) \
  X(kPtUsesGuestPhysical, "Intel PT uses guest physical addresses", 24) \
  X(kTscScaling, "use TSC scaling", 25) \
  X(kEnableUserWaitPause, "enable user wait and pause", 26) \
  X(kEnablePconfig, "enable PCONFIG", 27) \
  X(kEnableEnclvExiting, "enable ENCLV exiting", 28) \
  X(kBusLockDetection, "VMM bus-lock detection", 30) \
  X(kInstructionTimeout, "instruction timeout", 31)

#define ARCHELON_TERTIARY_CONTROLS(X) \
  X(kLoadiwkeyExiting, "LOADIWKEY exiting", 0) \
  X(kEnableHlat, "enable HLAT", 1) \
  X(kEptPagingWrite, "EPT paging-write control", 2) \
  X(kGuestPagingVerification, "guest-paging verification", 3) \
  X(kIpiVirtualization, "IPI virtualization", 4) \
  X(kEnableMsrList, "enable MSR-list instructions", 6) \
  X(kVirtualizeSpecCtrl, "virtualize IA32_SPEC_CTRL", 7)

#define ARCHELON_EXIT_CONTROLS(X) \
  X(kSaveDebugControls, "save debug controls", 2) \
  X(kHostAddressSpaceSize, "host address-space size", 9) \
  X(kLoadPerfGlobalCtrl, "load IA32_PERF_GLOBAL_CTRL", 12) \
  X(kAckInterruptOnExit, "acknowledge interrupt on exit", 15) \
  X(kSavePat, "save IA32_PAT", 18) \
  X(kLoadPat, "load IA32_PAT", 19) \
  X(kSaveEfer, "save IA32_EFER", 20) \
  X(kLoadEfer, "load IA32_EFER", 21) \
  X(kSavePreemptionTimer, "save VMX-preemption timer value", 22) \
  X(kClearBndCfgs, "clear IA32_BNDCFGS", 23) \
  X(kConcealVmxFromPt, "conceal VMX from PT", 24) \
  X(kClearRtitCtl, "clear IA32_RTIT_CTL", 25) \
  X(kClearLbrCtl, "clear IA32_LBR_CTL", 26) \
  X(kClearUinv, "clear UINV", 27) \
  X(kLoadCetState, "load CET state", 28) \
  X(kLoadPkrs, "load PKRS", 29) \
  X(kSavePerfGlobalCtrl, "save IA32_PERF_GLOBAL_CTRL", 30) \
  X(kActivateSecondary, "activate secondary exit controls", 31)

#define ARCHELON_ENTRY_CONTROLS(X) \
  X(kLoadDebugControls, "load debug controls", 2) \
  X(kIa32eModeGuest, "IA-32e mode guest", 9) \
  X(kEntryToSmm, "entry to SMM", 10) \
  X(kDeactivateDualMonitor, "deactivate dual-monitor treatment", 11) \
  X(kLoadPerfGlobalCtrl, "load IA32_PERF_GLOBAL_CTRL", 13) \
  X(kLoadPat, "load IA32_PAT", 14) \
  X(kLoadEfer, "load IA32_EFER", 15) \
  X(kLoadBndCfgs, "load IA32_BNDCFGS", 16) \
  X(kConcealVmxFromPt, "conceal VMX from PT", 17) \
  X(kLoadRtitCtl, "load IA32_RTIT_CTL", 18) \
  X(kLoadUinv, "load UINV", 19) \
  X(kLoadCetState, "load CET state", 20) \
  X(kLoadLbrCtl, "load guest IA32_LBR_CTL", 21) \
  X(kLoadPkrs, "load PKRS", 22) \
  X(kLoadFred, "load FRED", 23) \
  X(kLoadSpecCtrl, "load IA32_SPEC_CTRL", 24)
// clang-format on
