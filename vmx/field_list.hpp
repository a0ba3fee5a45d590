#pragma once

// Every field of SDM vol. 3D, "Field Encoding in VMCS", in the order of its encoding (full access
// only; a 64-bit field's high half is its encoding + 1): X(width type, constant, NAME, encoding).
// fields.hpp makes the typed constants and the table from it.
// clang-format off
#define ARCHELON_VMCS_FIELDS(X) \
  /* 16-bit control fields */ \
  X(Field16, kVpid, VPID, 0x0000) \
  X(Field16, kPostedInterruptVector, POSTED_INTERRUPT_NOTIFICATION_VECTOR, 0x0002) \
  X(Field16, kEptpIndex, EPTP_INDEX, 0x0004) \
  X(Field16, kHlatPrefixSize, HLAT_PREFIX_SIZE, 0x0006) \
  X(Field16, kLastPidPointerIndex, LAST_PID_POINTER_INDEX, 0x0008) \
  /* 16-bit guest-state fields */ \
  X(Field16, kGuestEsSelector, GUEST_ES_SELECTOR, 0x0800) \
  X(Field16, kGuestCsSelector, GUEST_CS_SELECTOR, 0x0802) \
  X(Field16, kGuestSsSelector, GUEST_SS_SELECTOR, 0x0804) \
  X(Field16, kGuestDsSelector, GUEST_DS_SELECTOR, 0x0806) \
  X(Field16, kGuestFsSelector, GUEST_FS_SELECTOR, 0x0808) \
  X(Field16, kGuestGsSelector, GUEST_GS_SELECTOR, 0x080a) \
  X(Field16, kGuestLdtrSelector, GUEST_LDTR_SELECTOR, 0x080c) \
  X(Field16, kGuestTrSelector, GUEST_TR_SELECTOR, 0x080e) \
  X(Field16, kGuestInterruptStatus, GUEST_INTERRUPT_STATUS, 0x0810) \
  X(Field16, kPmlIndex, PML_INDEX, 0x0812) \
  X(Field16, kGuestUinv, GUEST_UINV, 0x0814) \
  /* 16-bit host-state fields */ \
  X(Field16, kHostEsSelector, HOST_ES_SELECTOR, 0x0c00) \
  X(Field16, kHostCsSelector, HOST_CS_SELECTOR, 0x0c02) \
  X(Field16, kHostSsSelector, HOST_SS_SELECTOR, 0x0c04) \
  X(Field16, kHostDsSelector, HOST_DS_SELECTOR, 0x0c06) \
  X(Field16, kHostFsSelector, HOST_FS_SELECTOR, 0x0c08) \
  X(Field16, kHostGsSelector, HOST_GS_SELECTOR, 0x0c0a) \
  X(Field16, kHostTrSelector, HOST_TR_SELECTOR, 0x0c0c) \
  /* 64-bit control fields */ \
  X(Field64, kIoBitmapA, IO_BITMAP_A, 0x2000) \
  X(Field64, kIoBitmapB, IO_BITMAP_B, 0x2002) \
  X(Field64, kMsrBitmaps, MSR_BITMAPS, 0x2004) \
  X(Field64, kExitMsrStoreAddress, VM_EXIT_MSR_STORE_ADDRESS, 0x2006) \
  X(Field64, kExitMsrLoadAddress, VM_EXIT_MSR_LOAD_ADDRESS, 0x2008) \
  X(Field64, kEntryMsrLoadAddress, VM_ENTRY_MSR_LOAD_ADDRESS, 0x200a) \
  X(Field64, kExecutiveVmcsPointer, EXECUTIVE_VMCS_POINTER, 0x200c) \
  X(Field64, kPmlAddress, PML_ADDRESS, 0x200e) \
  X(Field64, kTscOffset, TSC_OFFSET, 0x2010) \
  X(Field64, kVirtualApicAddress, VIRTUAL_APIC_ADDRESS, 0x2012) \
  X(Field64, kApicAccessAddress, APIC_ACCESS_ADDRESS, 0x2014) \
  X(Field64, kPostedInterruptDescriptorAddress, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x2016) \
  X(Field64, kVmFunctionControls, VM_FUNCTION_CONTROLS, 0x2018) \
  X(Field64, kEptPointer, EPT_POINTER, 0x201a) \
  X(Field64, kEoiExitBitmap0, EOI_EXIT_BITMAP_0, 0x201c) \
  X(Field64, kEoiExitBitmap1, EOI_EXIT_BITMAP_1, 0x201e) \
  X(Field64, kEoiExitBitmap2, EOI_EXIT_BITMAP_2, 0x2020) \
  X(Field64, kEoiExitBitmap3, EOI_EXIT_BITMAP_3, 0x2022) \
  X(Field64, kEptpListAddress, EPTP_LIST_ADDRESS, 0x2024) \
  X(Field64, kVmreadBitmapAddress, VMREAD_BITMAP_ADDRESS, 0x2026) \
  X(Field64, kVmwriteBitmapAddress, VMWRITE_BITMAP_ADDRESS, 0x2028) \
  X(Field64, kVeInformationAddress, VE_INFORMATION_ADDRESS, 0x202a) \
  X(Field64, kXssExitingBitmap, XSS_EXITING_BITMAP, 0x202c) \
  X(Field64, kEnclsExitingBitmap, ENCLS_EXITING_BITMAP, 0x202e) \
  X(Field64, kSubPagePermissionTablePointer, SUB_PAGE_PERMISSION_TABLE_POINTER, 0x2030) \
  X(Field64, kTscMultiplier, TSC_MULTIPLIER, 0x2032) \
  X(Field64, kTertiaryProcControls, TERTIARY_PROC_BASED_CONTROLS, 0x2034) \
  X(Field64, kEnclvExitingBitmap, ENCLV_EXITING_BITMAP, 0x2036) \
  X(Field64, kLowPasidDirectoryAddress, LOW_PASID_DIRECTORY_ADDRESS, 0x2038) \
  X(Field64, kHighPasidDirectoryAddress, HIGH_PASID_DIRECTORY_ADDRESS, 0x203a) \
  X(Field64, kSharedEptPointer, SHARED_EPT_POINTER, 0x203c) \
  X(Field64, kPconfigExitingBitmap, PCONFIG_EXITING_BITMAP, 0x203e) \
  X(Field64, kHlatPointer, HLAT_POINTER, 0x2040) \
  X(Field64, kPidPointerTableAddress, PID_POINTER_TABLE_ADDRESS, 0x2042) \
  X(Field64, kSecondaryExitControls, SECONDARY_VM_EXIT_CONTROLS, 0x2044) \
  X(Field64, kSpecCtrlMask, IA32_SPEC_CTRL_MASK, 0x204a) \
  X(Field64, kSpecCtrlShadow, IA32_SPEC_CTRL_SHADOW, 0x204c) \
  X(Field64, kInjectedEventData, INJECTED_EVENT_DATA, 0x2052) \
  /* 64-bit read-only data fields */ \
  X(Field64, kGuestPhysicalAddress, GUEST_PHYSICAL_ADDRESS, 0x2400) \
  X(Field64, kOriginalEventData, ORIGINAL_EVENT_DATA, 0x2404) \
  /* 64-bit guest-state fields */ \
  X(Field64, kVmcsLinkPointer, VMCS_LINK_POINTER, 0x2800) \
  X(Field64, kGuestDebugCtl, GUEST_IA32_DEBUGCTL, 0x2802) \
  X(Field64, kGuestPat, GUEST_IA32_PAT, 0x2804) \
  X(Field64, kGuestEfer, GUEST_IA32_EFER, 0x2806) \
  X(Field64, kGuestPerfGlobalCtrl, GUEST_IA32_PERF_GLOBAL_CTRL, 0x2808) \
  X(Field64, kGuestPdpte0, GUEST_PDPTE0, 0x280a) \
  X(Field64, kGuestPdpte1, GUEST_PDPTE1, 0x280c) \
  X(Field64, kGuestPdpte2, GUEST_PDPTE2, 0x280e) \
  X(Field64, kGuestPdpte3, GUEST_PDPTE3, 0x2810) \
  X(Field64, kGuestBndCfgs, GUEST_IA32_BNDCFGS, 0x2812) \
  X(Field64, kGuestRtitCtl, GUEST_IA32_RTIT_CTL, 0x2814) \
  X(Field64, kGuestLbrCtl, GUEST_IA32_LBR_CTL, 0x2816) \
  X(Field64, kGuestPkrs, GUEST_IA32_PKRS, 0x2818) \
  X(Field64, kGuestFredConfig, GUEST_IA32_FRED_CONFIG, 0x281a) \
  X(Field64, kGuestFredRsp1, GUEST_IA32_FRED_RSP1, 0x281c) \
  X(Field64, kGuestFredRsp2, GUEST_IA32_FRED_RSP2, 0x281e) \
  X(Field64, kGuestFredRsp3, GUEST_IA32_FRED_RSP3, 0x2820) \
  X(Field64, kGuestFredStkLvls, GUEST_IA32_FRED_STKLVLS, 0x2822) \
  X(Field64, kGuestFredSsp1, GUEST_IA32_FRED_SSP1, 0x2824) \
  X(Field64, kGuestFredSsp2, GUEST_IA32_FRED_SSP2, 0x2826) \
  X(Field64, kGuestFredSsp3, GUEST_IA32_FRED_SSP3, 0x2828) \
  X(Field64, kGuestSpecCtrl, GUEST_IA32_SPEC_CTRL, 0x282e) \
  /* 64-bit host-state fields */ \
  X(Field64, kHostPat, HOST_IA32_PAT, 0x2c00) \
  X(Field64, kHostEfer, HOST_IA32_EFER, 0x2c02) \
  X(Field64, kHostPerfGlobalCtrl, HOST_IA32_PERF_GLOBAL_CTRL, 0x2c04) \
  X(Field64, kHostPkrs, HOST_IA32_PKRS, 0x2c06) \
  X(Field64, kHostFredConfig, HOST_IA32_FRED_CONFIG, 0x2c08) \
  X(Field64, kHostFredRsp1, HOST_IA32_FRED_RSP1, 0x2c0a) \
  X(Field64, kHostFredRsp2, HOST_IA32_FRED_RSP2, 0x2c0c) \
  X(Field64, kHostFredRsp3, HOST_IA32_FRED_RSP3, 0x2c0e) \
  X(Field64, kHostFredStkLvls, HOST_IA32_FRED_STKLVLS, 0x2c10) \
  X(Field64, kHostFredSsp1, HOST_IA32_FRED_SSP1, 0x2c12) \
  X(Field64, kHostFredSsp2, HOST_IA32_FRED_SSP2, 0x2c14) \
  X(Field64, kHostFredSsp3, HOST_IA32_FRED_SSP3, 0x2c16) \
  X(Field64, kHostSpecCtrl, HOST_IA32_SPEC_CTRL, 0x2c1a) \
  /* 32-bit control fields */ \
  X(Field32, kPinControls, PIN_BASED_CONTROLS, 0x4000) \
  X(Field32, kPrimaryProcControls, PRIMARY_PROC_BASED_CONTROLS, 0x4002) \
  X(Field32, kExceptionBitmap, EXCEPTION_BITMAP, 0x4004) \
  X(Field32, kPageFaultErrorCodeMask, PAGE_FAULT_ERROR_CODE_MASK, 0x4006) \
  X(Field32, kPageFaultErrorCodeMatch, PAGE_FAULT_ERROR_CODE_MATCH, 0x4008) \
  X(Field32, kCr3TargetCount, CR3_TARGET_COUNT, 0x400a) \
  X(Field32, kExitControls, PRIMARY_VM_EXIT_CONTROLS, 0x400c) \
  X(Field32, kExitMsrStoreCount, VM_EXIT_MSR_STORE_COUNT, 0x400e) \
  X(Field32, kExitMsrLoadCount, VM_EXIT_MSR_LOAD_COUNT, 0x4010) \
  X(Field32, kEntryControls, VM_ENTRY_CONTROLS, 0x4012) \
  X(Field32, kEntryMsrLoadCount, VM_ENTRY_MSR_LOAD_COUNT, 0x4014) \
  X(Field32, kEntryInterruptionInfo, VM_ENTRY_INTERRUPTION_INFO, 0x4016) \
  X(Field32, kEntryExceptionErrorCode, VM_ENTRY_EXCEPTION_ERROR_CODE, 0x4018) \
  X(Field32, kEntryInstructionLength, VM_ENTRY_INSTRUCTION_LENGTH, 0x401a) \
  X(Field32, kTprThreshold, TPR_THRESHOLD, 0x401c) \
  X(Field32, kSecondaryProcControls, SECONDARY_PROC_BASED_CONTROLS, 0x401e) \
  X(Field32, kPleGap, PLE_GAP, 0x4020) \
  X(Field32, kPleWindow, PLE_WINDOW, 0x4022) \
  X(Field32, kInstructionTimeoutControl, INSTRUCTION_TIMEOUT_CONTROL, 0x4024) \
  /* 32-bit read-only data fields */ \
  X(Field32, kInstructionError, VM_INSTRUCTION_ERROR, 0x4400) \
  X(Field32, kExitReason, EXIT_REASON, 0x4402) \
  X(Field32, kExitInterruptionInfo, VM_EXIT_INTERRUPTION_INFO, 0x4404) \
  X(Field32, kExitInterruptionErrorCode, VM_EXIT_INTERRUPTION_ERROR_CODE, 0x4406) \
  X(Field32, kIdtVectoringInfo, IDT_VECTORING_INFO, 0x4408) \
  X(Field32, kIdtVectoringErrorCode, IDT_VECTORING_ERROR_CODE, 0x440a) \
  X(Field32, kExitInstructionLength, VM_EXIT_INSTRUCTION_LENGTH, 0x440c) \
  X(Field32, kExitInstructionInfo, VM_EXIT_INSTRUCTION_INFO, 0x440e) \
  /* 32-bit guest-state fields */ \
  X(Field32, kGuestEsLimit, GUEST_ES_LIMIT, 0x4800) \
  X(Field32, kGuestCsLimit, GUEST_CS_LIMIT, 0x4802) \
  X(Field32, kGuestSsLimit, GUEST_SS_LIMIT, 0x4804) \
  X(Field32, kGuestDsLimit, GUEST_DS_LIMIT, 0x4806) \
  X(Field32, kGuestFsLimit, GUEST_FS_LIMIT, 0x4808) \
  X(Field32, kGuestGsLimit, GUEST_GS_LIMIT, 0x480a) \
  X(Field32, kGuestLdtrLimit, GUEST_LDTR_LIMIT, 0x480c) \
  X(Field32, kGuestTrLimit, GUEST_TR_LIMIT, 0x480e) \
  X(Field32, kGuestGdtrLimit, GUEST_GDTR_LIMIT, 0x4810) \
  X(Field32, kGuestIdtrLimit, GUEST_IDTR_LIMIT, 0x4812) \
  X(Field32, kGuestEsAccessRights, GUEST_ES_ACCESS_RIGHTS, 0x4814) \
  X(Field32, kGuestCsAccessRights, GUEST_CS_ACCESS_RIGHTS, 0x4816) \
  X(Field32, kGuestSsAccessRights, GUEST_SS_ACCESS_RIGHTS, 0x4818) \
  X(Field32, kGuestDsAccessRights, GUEST_DS_ACCESS_RIGHTS, 0x481a) \
  X(Field32, kGuestFsAccessRights, GUEST_FS_ACCESS_RIGHTS, 0x481c) \
  X(Field32, kGuestGsAccessRights, GUEST_GS_ACCESS_RIGHTS, 0x481e) \
  X(Field32, kGuestLdtrAccessRights, GUEST_LDTR_ACCESS_RIGHTS, 0x4820) \
  X(Field32, kGuestTrAccessRights, GUEST_TR_ACCESS_RIGHTS, 0x4822) \
  X(Field32, kGuestInterruptibilityState, GUEST_INTERRUPTIBILITY_STATE, 0x4824) \
  X(Field32, kGuestActivityState, GUEST_ACTIVITY_STATE, 0x4826) \
  X(Field32, kGuestSmbase, GUEST_SMBASE, 0x4828) \
  X(Field32, kGuestSysenterCs, GUEST_IA32_SYSENTER_CS, 0x482a) \
  X(Field32, kPreemptionTimerValue, VMX_PREEMPTION_TIMER_VALUE, 0x482e) \
  /* 32-bit host-state field */ \
  X(Field32, kHostSysenterCs, HOST_IA32_SYSENTER_CS, 0x4c00) \
  /* Natural-width control fields */ \
  X(FieldNatural, kCr0GuestHostMask, CR0_GUEST_HOST_MASK, 0x6000) \
  X(FieldNatural, kCr4GuestHostMask, CR4_GUEST_HOST_MASK, 0x6002) \
  X(FieldNatural, kCr0ReadShadow, CR0_READ_SHADOW, 0x6004) \
  X(FieldNatural, kCr4ReadShadow, CR4_READ_SHADOW, 0x6006) \
  X(FieldNatural, kCr3TargetValue0, CR3_TARGET_VALUE_0, 0x6008) \
  X(FieldNatural, kCr3TargetValue1, CR3_TARGET_VALUE_1, 0x600a) \
  X(FieldNatural, kCr3TargetValue2, CR3_TARGET_VALUE_2, 0x600c) \
  X(FieldNatural, kCr3TargetValue3, CR3_TARGET_VALUE_3, 0x600e) \
  /* Natural-width read-only data fields */ \
  X(FieldNatural, kExitQualification, EXIT_QUALIFICATION, 0x6400) \
  X(FieldNatural, kIoRcx, IO_RCX, 0x6402) \
  X(FieldNatural, kIoRsi, IO_RSI, 0x6404) \
  X(FieldNatural, kIoRdi, IO_RDI, 0x6406) \
  X(FieldNatural, kIoRip, IO_RIP, 0x6408) \
  X(FieldNatural, kGuestLinearAddress, GUEST_LINEAR_ADDRESS, 0x640a) \
  /* Natural-width guest-state fields */ \
  X(FieldNatural, kGuestCr0, GUEST_CR0, 0x6800) \
  X(FieldNatural, kGuestCr3, GUEST_CR3, 0x6802) \
  X(FieldNatural, kGuestCr4, GUEST_CR4, 0x6804) \
  X(FieldNatural, kGuestEsBase, GUEST_ES_BASE, 0x6806) \
  X(FieldNatural, kGuestCsBase, GUEST_CS_BASE, 0x6808) \
  X(FieldNatural, kGuestSsBase, GUEST_SS_BASE, 0x680a) \
  X(FieldNatural, kGuestDsBase, GUEST_DS_BASE, 0x680c) \
  X(FieldNatural, kGuestFsBase, GUEST_FS_BASE, 0x680e) \
  X(FieldNatural, kGuestGsBase, GUEST_GS_BASE, 0x6810) \
  X(FieldNatural, kGuestLdtrBase, GUEST_LDTR_BASE, 0x6812) \
  X(FieldNatural, kGuestTrBase, GUEST_TR_BASE, 0x6814) \
  X(FieldNatural, kGuestGdtrBase, GUEST_GDTR_BASE, 0x6816) \
  X(FieldNatural, kGuestIdtrBase, GUEST_IDTR_BASE, 0x6818) \
  X(FieldNatural, kGuestDr7, GUEST_DR7, 0x681a) \
  X(FieldNatural, kGuestRsp, GUEST_RSP, 0x681c) \
  X(FieldNatural, kGuestRip, GUEST_RIP, 0x681e) \
  X(FieldNatural, kGuestRflags, GUEST_RFLAGS, 0x6820) \
  X(FieldNatural, kGuestPendingDebugExceptions, GUEST_PENDING_DEBUG_EXCEPTIONS, 0x6822) \
  X(FieldNatural, kGuestSysenterEsp, GUEST_IA32_SYSENTER_ESP, 0x6824) \
  X(FieldNatural, kGuestSysenterEip, GUEST_IA32_SYSENTER_EIP, 0x6826) \
  X(FieldNatural, kGuestSCet, GUEST_IA32_S_CET, 0x6828) \
  X(FieldNatural, kGuestSsp, GUEST_SSP, 0x682a) \
  X(FieldNatural, kGuestInterruptSspTable, GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR, 0x682c) \
  /* Natural-width host-state fields */ \
  X(FieldNatural, kHostCr0, HOST_CR0, 0x6c00) \
  X(FieldNatural, kHostCr3, HOST_CR3, 0x6c02) \
  X(FieldNatural, kHostCr4, HOST_CR4, 0x6c04) \
  X(FieldNatural, kHostFsBase, HOST_FS_BASE, 0x6c06) \
  X(FieldNatural, kHostGsBase, HOST_GS_BASE, 0x6c08) \
  X(FieldNatural, kHostTrBase, HOST_TR_BASE, 0x6c0a) \
  X(FieldNatural, kHostGdtrBase, HOST_GDTR_BASE, 0x6c0c) \
  X(FieldNatural, kHostIdtrBase, HOST_IDTR_BASE, 0x6c0e) \
  X(FieldNatural, kHostSysenterEsp, HOST_IA32_SYSENTER_ESP, 0x6c10) \
  X(FieldNatural, kHostSysenterEip, HOST_IA32_SYSENTER_EIP, 0x6c12) \
  X(FieldNatural, kHostRsp, HOST_RSP, 0x6c14) \
  X(FieldNatural, kHostRip, HOST_RIP, 0x6c16) \
  X(FieldNatural, kHostSCet, HOST_IA32_S_CET, 0x6c18) \
  X(FieldNatural, kHostSsp, HOST_SSP, 0x6c1a) \
  X(FieldNatural, kHostInterruptSspTable, HOST_IA32_INTERRUPT_SSP_TABLE_ADDR, 0x6c1c)
// clang-format on
