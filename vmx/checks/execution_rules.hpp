#pragma once

#include "mmu/ept_entry.hpp"
#include "vmx/checks/check_context.hpp"

namespace archelon::vmx::checks {

// A page that a control, once set, makes the CPU use.
template <auto kAsks>
[[nodiscard]] constexpr auto page_rule(RuleId id, std::string_view name, const FieldSet& control,
                                       Field64 address) {
  return rule(id, name, looks_at(control, address),
              [address](const auto& c) { return !kAsks(c) || c.page(address); });
}

// A secondary control that is nothing without EPT.
template <std::uint32_t kMask>
[[nodiscard]] constexpr auto needs_ept(RuleId id, std::string_view name) {
  return rule(id, name, kSecondary, [](const auto& c) { return !c.secondary(kMask) || c.ept(); });
}
template <std::uint64_t kMask>
[[nodiscard]] constexpr auto tertiary_needs_ept(RuleId id, std::string_view name) {
  return rule(id, name, looks_at(kSecondary, kTertiary),
              [](const auto& c) { return !c.tertiary(kMask) || c.ept(); });
}
template <std::uint32_t kMask>
[[nodiscard]] constexpr auto needs_tpr_shadow(RuleId id, std::string_view name) {
  return rule(id, name, kSecondary,
              [](const auto& c) { return !c.secondary(kMask) || c.primary(primary::kTprShadow); });
}

inline constexpr auto kUsesTprShadow = [](const auto& c) { return c.primary(primary::kTprShadow); };
inline constexpr auto kUsesIoBitmaps = [](const auto& c) { return c.primary(primary::kIoBitmaps); };
inline constexpr auto kUsesMsrBitmaps = [](const auto& c) {
  return c.primary(primary::kMsrBitmaps);
};
template <std::uint32_t kMask>
inline constexpr auto kUsesSecondary = [](const auto& c) { return c.secondary(kMask); };
inline constexpr auto kUsesEptpSwitching = [](const auto& c) {
  return c.secondary(secondary::kEnableVmFunctions) &&
         (c.read(fields::kVmFunctionControls) & 1) != 0;
};
inline constexpr auto kUsesPostedInterrupts = [](const auto& c) {
  return c.pin(pin::kPostedInterrupts);
};

// SDM vol. 3C, "VM-Execution Control Fields" of "Checks on VMX Controls".
inline constexpr auto kControlWordRules = rules(
    CheckSection::kExecutionControls,
    rule(RuleId::kPinControls,
         "the pin-based VM-execution controls must be what IA32_VMX_(TRUE_)PINBASED_CTLS allows",
         kPin,
         [](const auto& c) {
           return c.caps.control(ControlWord::kPin).allows(c.read(fields::kPinControls));
         }),
    rule(
        RuleId::kPrimaryControls,
        "the primary processor-based VM-execution controls must be what "
        "IA32_VMX_(TRUE_)PROCBASED_CTLS allows",
        kPrimary,
        [](const auto& c) {
          return c.caps.control(ControlWord::kPrimary).allows(c.read(fields::kPrimaryProcControls));
        }),
    rule(RuleId::kSecondaryControls,
         "the secondary processor-based VM-execution controls must be what "
         "IA32_VMX_PROCBASED_CTLS2 allows",
         kSecondary,
         [](const auto& c) {
           return !c.primary(primary::kActivateSecondary) ||
                  c.caps.control(ControlWord::kSecondary)
                      .allows(c.read(fields::kSecondaryProcControls));
         }),
    rule(RuleId::kTertiaryControls,
         "the tertiary processor-based VM-execution controls must be what "
         "IA32_VMX_PROCBASED_CTLS3 allows",
         kTertiary,
         [](const auto& c) {
           return !c.primary(primary::kActivateTertiary) ||
                  c.caps.control(ControlWord::kTertiary)
                      .allows(c.read(fields::kTertiaryProcControls));
         }),
    rule(RuleId::kCr3TargetCount,
         "the CR3-target count must not be above what IA32_VMX_MISC allows",
         looks_at(fields::kCr3TargetCount),
         [](const auto& c) { return c.read(fields::kCr3TargetCount) <= c.caps.cr3_targets(); }),
    page_rule<kUsesIoBitmaps>(
        RuleId::kIoBitmapA,
        "the address of I/O bitmap A must be page-aligned and within the physical-address width",
        kPrimary, fields::kIoBitmapA),
    page_rule<kUsesIoBitmaps>(
        RuleId::kIoBitmapB,
        "the address of I/O bitmap B must be page-aligned and within the physical-address width",
        kPrimary, fields::kIoBitmapB),
    page_rule<kUsesMsrBitmaps>(
        RuleId::kMsrBitmaps,
        "the address of the MSR bitmaps must be page-aligned and within the physical-address width",
        kPrimary, fields::kMsrBitmaps));

inline constexpr auto kInterruptControlRules = rules(
    CheckSection::kExecutionControls,
    page_rule<kUsesTprShadow>(
        RuleId::kVirtualApicAddress,
        "the virtual-APIC address must be page-aligned and within the physical-address width",
        kPrimary, fields::kVirtualApicAddress),
    rule(RuleId::kTprThresholdReserved,
         "bits 31:4 of the TPR threshold must be 0 without virtual-interrupt delivery",
         looks_at(kSecondary, fields::kTprThreshold),
         [](const auto& c) {
           return !c.primary(primary::kTprShadow) ||
                  c.secondary(secondary::kVirtualInterruptDelivery) ||
                  c.read(fields::kTprThreshold) <= 0xf;
         }),
    rule(RuleId::kTprThresholdAboveVtpr,
         "the TPR threshold must not be above bits 7:4 of the virtual TPR",
         looks_at(kSecondary, fields::kTprThreshold, fields::kVirtualApicAddress),
         [](const auto& c) {
           constexpr std::uint64_t kVtprOffset = 0x80;
           if (!c.primary(primary::kTprShadow) || c.secondary(secondary::kVirtualInterruptDelivery |
                                                              secondary::kVirtualizeApicAccesses)) {
             return true;
           }
           const std::uint32_t threshold = c.read(fields::kTprThreshold) & 0xf;
           if (threshold == 0) {
             return true;
           }
           const std::uint64_t page = c.read(fields::kVirtualApicAddress);
           const auto vtpr = c.template memory<std::uint32_t>(page + kVtprOffset);
           return threshold <= bit_field(vtpr, 7, 4);
         })
        .reading_memory(),
    rule(RuleId::kVirtualNmisNeedNmiExiting, "\"virtual NMIs\" must be 0 if \"NMI exiting\" is 0",
         kPin, [](const auto& c) { return c.pin(pin::kNmiExiting) || !c.pin(pin::kVirtualNmis); }),
    rule(RuleId::kNmiWindowNeedsVirtualNmis,
         "\"NMI-window exiting\" must be 0 if \"virtual NMIs\" is 0", looks_at(kPin, kPrimary),
         [](const auto& c) {
           return c.pin(pin::kVirtualNmis) || !c.primary(primary::kNmiWindowExiting);
         }),
    page_rule<kUsesSecondary<secondary::kVirtualizeApicAccesses>>(
        RuleId::kApicAccessAddress,
        "the APIC-access address must be page-aligned and within the physical-address width",
        kSecondary, fields::kApicAccessAddress),
    needs_tpr_shadow<secondary::kVirtualizeX2apicMode>(
        RuleId::kX2apicNeedsTprShadow,
        "\"virtualize x2APIC mode\" must be 0 if \"use TPR shadow\" is 0"),
    needs_tpr_shadow<secondary::kApicRegisterVirtualization>(
        RuleId::kApicRegistersNeedTprShadow,
        "\"APIC-register virtualization\" must be 0 if \"use TPR shadow\" is 0"),
    needs_tpr_shadow<secondary::kVirtualInterruptDelivery>(
        RuleId::kInterruptDeliveryNeedsTprShadow,
        "\"virtual-interrupt delivery\" must be 0 if \"use TPR shadow\" is 0"),
    rule(RuleId::kIpiVirtualizationNeedsTprShadow,
         "\"IPI virtualization\" must be 0 if \"use TPR shadow\" is 0", kTertiary,
         [](const auto& c) {
           return !c.tertiary(tertiary::kIpiVirtualization) || c.primary(primary::kTprShadow);
         }),
    rule(RuleId::kX2apicExcludesApicAccesses,
         "\"virtualize APIC accesses\" must be 0 if \"virtualize x2APIC mode\" is 1", kSecondary,
         [](const auto& c) {
           return !c.secondary(secondary::kVirtualizeX2apicMode) ||
                  !c.secondary(secondary::kVirtualizeApicAccesses);
         }),
    rule(RuleId::kInterruptDeliveryNeedsInterruptExiting,
         "\"external-interrupt exiting\" must be 1 if \"virtual-interrupt delivery\" is 1",
         looks_at(kPin, kSecondary),
         [](const auto& c) {
           return !c.secondary(secondary::kVirtualInterruptDelivery) ||
                  c.pin(pin::kExternalInterruptExiting);
         }),
    rule(RuleId::kPostedInterruptsNeedDelivery,
         "\"virtual-interrupt delivery\" must be 1 if \"process posted interrupts\" is 1",
         looks_at(kPin, kSecondary),
         [](const auto& c) {
           return !kUsesPostedInterrupts(c) || c.secondary(secondary::kVirtualInterruptDelivery);
         }),
    rule(RuleId::kPostedInterruptsNeedAcknowledge,
         "\"acknowledge interrupt on exit\" must be 1 if \"process posted interrupts\" is 1",
         looks_at(kPin, kExit),
         [](const auto& c) {
           return !kUsesPostedInterrupts(c) || c.exit(exit_controls::kAckInterruptOnExit);
         }),
    rule(RuleId::kPostedInterruptVector,
         "the posted-interrupt notification vector must be in the range 0-255",
         looks_at(kPin, fields::kPostedInterruptVector),
         [](const auto& c) {
           return !kUsesPostedInterrupts(c) || c.read(fields::kPostedInterruptVector) <= 0xff;
         }),
    rule(RuleId::kPostedInterruptDescriptor,
         "the posted-interrupt descriptor's address must be 64-byte aligned and within the "
         "physical-address width",
         looks_at(kPin, fields::kPostedInterruptDescriptorAddress), [](const auto& c) {
           return !kUsesPostedInterrupts(c) ||
                  c.aligned_within(c.read(fields::kPostedInterruptDescriptorAddress), 64);
         }));

inline constexpr auto kMemoryControlRules = rules(
    CheckSection::kExecutionControls,
    rule(RuleId::kVpidZero, "the VPID must not be 0 if \"enable VPID\" is 1",
         looks_at(kSecondary, fields::kVpid),
         [](const auto& c) {
           return !c.secondary(secondary::kEnableVpid) || c.read(fields::kVpid) != 0;
         }),
    rule(RuleId::kEptPointerMemoryType,
         "the EPT pointer's memory type must be one that IA32_VMX_EPT_VPID_CAP offers",
         looks_at(kSecondary, fields::kEptPointer),
         [](const auto& c) {
           const std::uint64_t type = c.read(fields::kEptPointer) & mmu::ept::kPointerType;
           return !c.ept() || (type == 0 && c.caps.has_ept_vpid(ept_vpid::kMemoryUc)) ||
                  (type == 6 && c.caps.has_ept_vpid(ept_vpid::kMemoryWb));
         }),
    rule(RuleId::kEptPointerWalkLength,
         "the EPT pointer's page-walk length must be one that IA32_VMX_EPT_VPID_CAP offers",
         looks_at(kSecondary, fields::kEptPointer),
         [](const auto& c) {
           const std::uint64_t walk = bit_field(c.read(fields::kEptPointer), 5, 3);
           return !c.ept() || (walk == 3 && c.caps.has_ept_vpid(ept_vpid::kWalk4)) ||
                  (walk == 4 && c.caps.has_ept_vpid(ept_vpid::kWalk5));
         }),
    rule(RuleId::kEptPointerAccessedDirty,
         "the EPT pointer's bit 6 must be 0 on a CPU without accessed and dirty flags for EPT",
         looks_at(kSecondary, fields::kEptPointer),
         [](const auto& c) {
           return !c.ept() || c.caps.has_ept_vpid(ept_vpid::kAccessedDirty) ||
                  (c.read(fields::kEptPointer) & mmu::ept::kPointerAccessedDirty) == 0;
         }),
    rule(RuleId::kEptPointerShadowStack,
         "the EPT pointer's bit 7 must be 0 on a CPU without supervisor shadow-stack control",
         looks_at(kSecondary, fields::kEptPointer),
         [](const auto& c) {
           return !c.ept() || c.caps.has_ept_vpid(ept_vpid::kSupervisorShadowStack) ||
                  (c.read(fields::kEptPointer) & bit(7)) == 0;
         }),
    rule(RuleId::kEptPointerReserved,
         "the EPT pointer's bits 11:8 and those beyond the physical-address width must be 0",
         looks_at(kSecondary, fields::kEptPointer),
         [](const auto& c) {
           const std::uint64_t pointer = c.read(fields::kEptPointer);
           return !c.ept() || ((pointer & bit_mask(11, 8)) == 0 && c.within_width(pointer));
         }),
    needs_ept<secondary::kEnablePml>(RuleId::kPmlNeedsEpt,
                                     "\"enable PML\" must be 0 if \"enable EPT\" is 0"),
    page_rule<kUsesSecondary<secondary::kEnablePml>>(
        RuleId::kPmlAddress,
        "the PML address must be page-aligned and within the physical-address width", kSecondary,
        fields::kPmlAddress),
    needs_ept<secondary::kUnrestrictedGuest>(
        RuleId::kUnrestrictedGuestNeedsEpt,
        "\"unrestricted guest\" must be 0 if \"enable EPT\" is 0"),
    needs_ept<secondary::kModeBasedExecute>(
        RuleId::kModeBasedExecuteNeedsEpt,
        "\"mode-based execute control for EPT\" must be 0 if \"enable EPT\" is 0"),
    needs_ept<secondary::kSubPageWritePermissions>(
        RuleId::kSubPagePermissionsNeedEpt,
        "\"sub-page write permissions for EPT\" must be 0 if \"enable EPT\" is 0"),
    page_rule<kUsesSecondary<secondary::kSubPageWritePermissions>>(
        RuleId::kSubPagePermissionTable,
        "the sub-page-permission-table pointer must be page-aligned and within the "
        "physical-address width",
        kSecondary, fields::kSubPagePermissionTablePointer));

inline constexpr auto kFeatureControlRules = rules(
    CheckSection::kExecutionControls,
    rule(RuleId::kVmFunctionControls,
         "the VM-function controls must be what IA32_VMX_VMFUNC allows",
         looks_at(kSecondary, fields::kVmFunctionControls),
         [](const auto& c) {
           return !c.secondary(secondary::kEnableVmFunctions) ||
                  (c.read(fields::kVmFunctionControls) & ~c.caps[arch::msr::kVmxVmfunc]) == 0;
         }),
    rule(RuleId::kEptpSwitchingNeedsEpt, "\"EPTP switching\" must be 0 if \"enable EPT\" is 0",
         looks_at(kSecondary, fields::kVmFunctionControls),
         [](const auto& c) { return !kUsesEptpSwitching(c) || c.ept(); }),
    page_rule<kUsesEptpSwitching>(
        RuleId::kEptpListAddress,
        "the EPTP-list address must be page-aligned and within the physical-address width",
        looks_at(kSecondary, fields::kVmFunctionControls), fields::kEptpListAddress),
    page_rule<kUsesSecondary<secondary::kVmcsShadowing>>(
        RuleId::kVmreadBitmap,
        "the VMREAD-bitmap address must be page-aligned and within the physical-address width",
        kSecondary, fields::kVmreadBitmapAddress),
    page_rule<kUsesSecondary<secondary::kVmcsShadowing>>(
        RuleId::kVmwriteBitmap,
        "the VMWRITE-bitmap address must be page-aligned and within the physical-address width",
        kSecondary, fields::kVmwriteBitmapAddress),
    page_rule<kUsesSecondary<secondary::kEptViolationVe>>(
        RuleId::kVeInformation,
        "the virtualization-exception information address must be page-aligned and within the "
        "physical-address width",
        kSecondary, fields::kVeInformationAddress),
    needs_ept<secondary::kPtUsesGuestPhysical>(
        RuleId::kPtGuestPhysicalNeedsEpt,
        "\"Intel PT uses guest physical addresses\" must be 0 if \"enable EPT\" is 0"),
    rule(RuleId::kPtGuestPhysicalNeedsLoad,
         "\"load IA32_RTIT_CTL\" must be 1 if \"Intel PT uses guest physical addresses\" is 1",
         looks_at(kSecondary, kEntry),
         [](const auto& c) {
           return !c.secondary(secondary::kPtUsesGuestPhysical) ||
                  c.entry(entry_controls::kLoadRtitCtl);
         }),
    rule(RuleId::kPtGuestPhysicalNeedsClear,
         "\"clear IA32_RTIT_CTL\" must be 1 if \"Intel PT uses guest physical addresses\" is 1",
         looks_at(kSecondary, kExit),
         [](const auto& c) {
           return !c.secondary(secondary::kPtUsesGuestPhysical) ||
                  c.exit(exit_controls::kClearRtitCtl);
         }),
    rule(RuleId::kTscMultiplierZero, "the TSC multiplier must not be 0 if \"use TSC scaling\" is 1",
         looks_at(kSecondary, fields::kTscMultiplier), [](const auto& c) {
           return !c.secondary(secondary::kTscScaling) || c.read(fields::kTscMultiplier) != 0;
         }));

inline constexpr auto kTertiaryRules = rules(
    CheckSection::kExecutionControls,
    tertiary_needs_ept<tertiary::kEnableHlat>(RuleId::kHlatNeedsEpt,
                                              "\"enable HLAT\" must be 0 if \"enable EPT\" is 0"),
    tertiary_needs_ept<tertiary::kEptPagingWrite>(
        RuleId::kPagingWriteNeedsEpt,
        "\"EPT paging-write control\" must be 0 if \"enable EPT\" is 0"),
    tertiary_needs_ept<tertiary::kGuestPagingVerification>(
        RuleId::kPagingVerificationNeedsEpt,
        "\"guest-paging verification\" must be 0 if \"enable EPT\" is 0"),
    rule(RuleId::kHlatPointer,
         "bits 2:0, 11:5 and those beyond the physical-address width of the HLAT pointer must be 0",
         looks_at(kTertiary, fields::kHlatPointer),
         [](const auto& c) {
           const std::uint64_t pointer = c.read(fields::kHlatPointer);
           return !c.tertiary(tertiary::kEnableHlat) ||
                  ((pointer & (bit_mask(2, 0) | bit_mask(11, 5))) == 0 && c.within_width(pointer));
         }),
    rule(RuleId::kPidPointerTable,
         "the PID-pointer table's address must be 8-byte aligned and within the physical-address "
         "width",
         looks_at(kTertiary, fields::kPidPointerTableAddress),
         [](const auto& c) {
           return !c.tertiary(tertiary::kIpiVirtualization) ||
                  c.aligned_within(c.read(fields::kPidPointerTableAddress), 8);
         }),
    rule(RuleId::kPidPointerTableEnd,
         "the PID-pointer table must end within the physical-address width",
         looks_at(kTertiary, fields::kPidPointerTableAddress, fields::kLastPidPointerIndex),
         [](const auto& c) {
           const std::uint64_t last = std::uint64_t{c.read(fields::kLastPidPointerIndex)} * 8;
           return !c.tertiary(tertiary::kIpiVirtualization) ||
                  c.within_width(c.read(fields::kPidPointerTableAddress) + last);
         }),
    page_rule<kUsesSecondary<secondary::kPasidTranslation>>(
        RuleId::kLowPasidDirectory,
        "the low PASID directory's address must be page-aligned and within the physical-address "
        "width",
        kSecondary, fields::kLowPasidDirectoryAddress),
    page_rule<kUsesSecondary<secondary::kPasidTranslation>>(
        RuleId::kHighPasidDirectory,
        "the high PASID directory's address must be page-aligned and within the physical-address "
        "width",
        kSecondary, fields::kHighPasidDirectoryAddress));

}  // namespace archelon::vmx::checks
