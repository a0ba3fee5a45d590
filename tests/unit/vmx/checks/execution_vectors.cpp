#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace f = vmx::fields;
using enum RuleId;

namespace {

void add_page(std::vector<Vector>& vectors, RuleId id, Field64 address, const Change& prepare) {
  vectors.push_back(spoil_field(id, Base::kLong, address, 0x3008, prepare));
  vectors.push_back(spoil_field(id, Base::kLong, address, kBeyond, prepare));
  // A CPU whose VMX structures are all below 4 GiB.
  vectors.push_back({id, Base::kLong,
                     [prepare](EntryCase& c) {
                       c.caps[arch::msr::kVmxBasic] |= basic::kAddresses32Bit;
                       prepare(c);
                     },
                     [address](EntryCase& c) { c.set(address, std::uint64_t{1} << 32); }});
}

Change with_primary(std::uint32_t bits) {
  return [bits](EntryCase& c) { c.add(f::kPrimaryProcControls, bits); };
}
Change with_secondary(std::uint32_t bits) {
  return [bits](EntryCase& c) { c.secondary(bits); };
}
Change with_ept_and(std::uint32_t bits) {
  return [bits](EntryCase& c) {
    c.enable_ept();
    c.secondary(bits);
  };
}
const Change kWithEpt = [](EntryCase& c) { c.enable_ept(); };

// The virtual-APIC page, with this priority class in its VTPR.
Change with_tpr_shadow(std::uint64_t vtpr) {
  return [vtpr](EntryCase& c) {
    c.add(f::kPrimaryProcControls, primary::kTprShadow);
    c.memory.add(Gpa1(0xa000), kPageSize);
    c.memory.poke(Gpa1(0xa080), vtpr);
    c.set(f::kVirtualApicAddress, 0xa000);
  };
}
void with_interrupt_delivery(EntryCase& c) {
  with_tpr_shadow(0)(c);
  c.secondary(secondary::kVirtualInterruptDelivery);
}
void with_posted_interrupts(EntryCase& c) {
  with_interrupt_delivery(c);
  c.add(f::kPinControls, pin::kPostedInterrupts | pin::kExternalInterruptExiting);
  c.add(f::kExitControls, exit_controls::kAckInterruptOnExit);
  c.set(f::kPostedInterruptVector, 0xf2);
  c.set(f::kPostedInterruptDescriptorAddress, 0xb040);
}
void with_eptp_switching(EntryCase& c) {
  c.enable_ept();
  c.secondary(secondary::kEnableVmFunctions);
  c.set(f::kVmFunctionControls, 1);
  c.set(f::kEptpListAddress, 0xd000);
}
void with_pt(EntryCase& c) {
  c.enable_ept();
  c.secondary(secondary::kPtUsesGuestPhysical);
  c.add(f::kEntryControls, entry_controls::kLoadRtitCtl);
  c.add(f::kExitControls, exit_controls::kClearRtitCtl);
}
void with_ipi_virtualization(EntryCase& c) {
  with_tpr_shadow(0)(c);
  c.tertiary(tertiary::kIpiVirtualization);
  c.set(f::kPidPointerTableAddress, 0xe008);
  c.set(f::kLastPidPointerIndex, 7);
}

void add_control_words(std::vector<Vector>& v) {
  v.push_back(spoil_field(kPinControls, Base::kLong, f::kPinControls, 0x14));
  v.push_back(spoil_field(kPinControls, Base::kLong, f::kPinControls, 0x16 | 1u << 30));
  v.push_back(spoil_field(kPrimaryControls, Base::kLong, f::kPrimaryProcControls, 0x04006170));
  v.push_back(spoil_field(kPrimaryControls, Base::kLong, f::kPrimaryProcControls, 0x04006173));
  v.push_back({kPrimaryControls, Base::kLong,
               [](EntryCase& c) {  // a CPU without the TRUE MSRs
                 c.caps[arch::msr::kVmxBasic] &= ~basic::kTrueControls;
                 c.caps[arch::msr::kVmxPinbasedCtls] = c.caps[arch::msr::kVmxTruePinbasedCtls];
                 c.caps[arch::msr::kVmxProcbasedCtls] =
                     c.caps[arch::msr::kVmxTrueProcbasedCtls] | primary::kHltExiting;
                 c.caps[arch::msr::kVmxExitCtls] = c.caps[arch::msr::kVmxTrueExitCtls];
                 c.caps[arch::msr::kVmxEntryCtls] = c.caps[arch::msr::kVmxTrueEntryCtls];
                 c.add(f::kPrimaryProcControls, primary::kHltExiting);
               },
               [](EntryCase& c) { c.drop(f::kPrimaryProcControls, primary::kHltExiting); }});
  v.push_back({kSecondaryControls, Base::kLong, with_secondary(0),
               [](EntryCase& c) { c.secondary(1u << 29); }});
  v.push_back({kSecondaryControls, Base::kLong,
               [](EntryCase& c) { c.set(f::kSecondaryProcControls, 1u << 29); },  // not activated
               [](EntryCase& c) { c.secondary(0); }});
  v.push_back({kTertiaryControls, Base::kLong, [](EntryCase& c) { c.tertiary(0); },
               [](EntryCase& c) { c.tertiary(bit(63)); }});
  v.push_back(spoil_field(kCr3TargetCount, Base::kLong, f::kCr3TargetCount, 5,
                          [](EntryCase& c) { c.set(f::kCr3TargetCount, 4); }));
  add_page(v, kIoBitmapA, f::kIoBitmapA, with_primary(primary::kIoBitmaps));
  add_page(v, kIoBitmapB, f::kIoBitmapB, with_primary(primary::kIoBitmaps));
  add_page(v, kMsrBitmaps, f::kMsrBitmaps, with_primary(primary::kMsrBitmaps));
}

void add_apic(std::vector<Vector>& v) {
  add_page(v, kVirtualApicAddress, f::kVirtualApicAddress, with_tpr_shadow(0));
  v.push_back(
      spoil_field(kTprThresholdReserved, Base::kLong, f::kTprThreshold, 0x10, with_tpr_shadow(0)));
  v.push_back({kTprThresholdReserved, Base::kLong,
               [](EntryCase& c) {  // with virtual-interrupt delivery the field is not used
                 with_interrupt_delivery(c);
                 c.add(f::kPinControls, pin::kExternalInterruptExiting);
                 c.set(f::kTprThreshold, 0x10);
               },
               [](EntryCase& c) {
                 c.drop(f::kSecondaryProcControls, secondary::kVirtualInterruptDelivery);
               }});
  v.push_back(
      spoil_field(kTprThresholdAboveVtpr, Base::kLong, f::kTprThreshold, 6, [](EntryCase& c) {
        with_tpr_shadow(0x5f)(c);
        c.set(f::kTprThreshold, 5);
      }));
  v.push_back({kTprThresholdAboveVtpr, Base::kLong,
               [](EntryCase& c) {
                 with_tpr_shadow(0x50)(c);
                 c.set(f::kTprThreshold, 5);
               },
               [](EntryCase& c) { c.memory.poke(Gpa1(0xa080), 0x4f); }});
  v.push_back({kTprThresholdAboveVtpr, Base::kLong,
               [](EntryCase& c) {
                 with_tpr_shadow(0)(c);
                 c.secondary(secondary::kVirtualizeApicAccesses);
                 c.set(f::kTprThreshold, 5);
               },
               [](EntryCase& c) {
                 c.drop(f::kSecondaryProcControls, secondary::kVirtualizeApicAccesses);
               }});
  v.push_back({kVirtualNmisNeedNmiExiting, Base::kLong, kNothing,
               [](EntryCase& c) { c.add(f::kPinControls, pin::kVirtualNmis); }});
  v.push_back({kNmiWindowNeedsVirtualNmis, Base::kLong,
               [](EntryCase& c) { c.add(f::kPinControls, pin::kNmiExiting); },
               [](EntryCase& c) { c.add(f::kPrimaryProcControls, primary::kNmiWindowExiting); }});
  add_page(v, kApicAccessAddress, f::kApicAccessAddress,
           with_secondary(secondary::kVirtualizeApicAccesses));
  v.push_back({kX2apicNeedsTprShadow, Base::kLong, kNothing,
               with_secondary(secondary::kVirtualizeX2apicMode)});
  v.push_back({kApicRegistersNeedTprShadow, Base::kLong, kNothing,
               with_secondary(secondary::kApicRegisterVirtualization)});
  v.push_back({kInterruptDeliveryNeedsTprShadow, Base::kLong,
               [](EntryCase& c) { c.add(f::kPinControls, pin::kExternalInterruptExiting); },
               with_secondary(secondary::kVirtualInterruptDelivery)});
  v.push_back({kIpiVirtualizationNeedsTprShadow, Base::kLong, kNothing,
               [](EntryCase& c) { c.tertiary(tertiary::kIpiVirtualization); }});
  v.push_back({kX2apicExcludesApicAccesses, Base::kLong,
               [](EntryCase& c) {
                 with_tpr_shadow(0)(c);
                 c.secondary(secondary::kVirtualizeX2apicMode);
               },
               with_secondary(secondary::kVirtualizeApicAccesses)});
  v.push_back({kInterruptDeliveryNeedsInterruptExiting, Base::kLong, with_tpr_shadow(0),
               with_secondary(secondary::kVirtualInterruptDelivery)});
}

void add_posted_interrupts(std::vector<Vector>& v) {
  v.push_back(
      {kPostedInterruptsNeedDelivery, Base::kLong, with_posted_interrupts, [](EntryCase& c) {
         c.drop(f::kSecondaryProcControls, secondary::kVirtualInterruptDelivery);
       }});
  v.push_back({kPostedInterruptsNeedAcknowledge, Base::kLong, with_posted_interrupts,
               [](EntryCase& c) { c.drop(f::kExitControls, exit_controls::kAckInterruptOnExit); }});
  v.push_back(spoil_field(kPostedInterruptVector, Base::kLong, f::kPostedInterruptVector, 0x100,
                          with_posted_interrupts));
  for (const std::uint64_t address : {std::uint64_t{0xb020}, kBeyond}) {
    v.push_back(spoil_field(kPostedInterruptDescriptor, Base::kLong,
                            f::kPostedInterruptDescriptorAddress, address, with_posted_interrupts));
  }
}

Vector ept_without(RuleId id, std::uint64_t capability, std::uint64_t pointer) {
  return {id, Base::kLong,
          [capability](EntryCase& c) {
            c.enable_ept();
            c.caps[arch::msr::kVmxEptVpidCap] &= ~capability;
          },
          [pointer](EntryCase& c) { c.set(f::kEptPointer, pointer); }};
}

void add_ept(std::vector<Vector>& v) {
  v.push_back(spoil_field(kVpidZero, Base::kLong, f::kVpid, 0, [](EntryCase& c) {
    c.secondary(secondary::kEnableVpid);
    c.set(f::kVpid, 1);
  }));
  v.push_back(spoil_field(kEptPointerMemoryType, Base::kLong, f::kEptPointer, 0x5019, kWithEpt));
  v.push_back(ept_without(kEptPointerMemoryType, ept_vpid::kMemoryUc, 0x5018));
  v.push_back(spoil_field(kEptPointerWalkLength, Base::kLong, f::kEptPointer, 0x5016, kWithEpt));
  v.push_back(ept_without(kEptPointerWalkLength, ept_vpid::kWalk5, 0x5026));
  v.push_back(ept_without(kEptPointerAccessedDirty, ept_vpid::kAccessedDirty, 0x505e));
  v.push_back(ept_without(kEptPointerShadowStack, ept_vpid::kSupervisorShadowStack, 0x509e));
  v.push_back(spoil_field(kEptPointerReserved, Base::kLong, f::kEptPointer, 0x511e, kWithEpt));
  v.push_back(
      spoil_field(kEptPointerReserved, Base::kLong, f::kEptPointer, kBeyond | 0x501e, kWithEpt));
  v.push_back({kPmlNeedsEpt, Base::kLong, kNothing, with_secondary(secondary::kEnablePml)});
  add_page(v, kPmlAddress, f::kPmlAddress, with_ept_and(secondary::kEnablePml));
  v.push_back({kUnrestrictedGuestNeedsEpt, Base::kLong, kNothing,
               with_secondary(secondary::kUnrestrictedGuest)});
  v.push_back({kModeBasedExecuteNeedsEpt, Base::kLong, kNothing,
               with_secondary(secondary::kModeBasedExecute)});
  v.push_back({kSubPagePermissionsNeedEpt, Base::kLong, kNothing,
               with_secondary(secondary::kSubPageWritePermissions)});
  add_page(v, kSubPagePermissionTable, f::kSubPagePermissionTablePointer,
           with_ept_and(secondary::kSubPageWritePermissions));
}

void add_features(std::vector<Vector>& v) {
  v.push_back(spoil_field(kVmFunctionControls, Base::kLong, f::kVmFunctionControls, 3,
                          with_eptp_switching));
  v.push_back({kEptpSwitchingNeedsEpt, Base::kLong, with_eptp_switching,
               [](EntryCase& c) { c.drop(f::kSecondaryProcControls, secondary::kEnableEpt); }});
  add_page(v, kEptpListAddress, f::kEptpListAddress, with_eptp_switching);
  add_page(v, kVmreadBitmap, f::kVmreadBitmapAddress, with_secondary(secondary::kVmcsShadowing));
  add_page(v, kVmwriteBitmap, f::kVmwriteBitmapAddress, with_secondary(secondary::kVmcsShadowing));
  add_page(v, kVeInformation, f::kVeInformationAddress, with_ept_and(secondary::kEptViolationVe));
  v.push_back({kPtGuestPhysicalNeedsEpt, Base::kLong, with_pt,
               [](EntryCase& c) { c.drop(f::kSecondaryProcControls, secondary::kEnableEpt); }});
  v.push_back({kPtGuestPhysicalNeedsLoad, Base::kLong, with_pt,
               [](EntryCase& c) { c.drop(f::kEntryControls, entry_controls::kLoadRtitCtl); }});
  v.push_back({kPtGuestPhysicalNeedsClear, Base::kLong, with_pt,
               [](EntryCase& c) { c.drop(f::kExitControls, exit_controls::kClearRtitCtl); }});
  v.push_back(spoil_field(kTscMultiplierZero, Base::kLong, f::kTscMultiplier, 0, [](EntryCase& c) {
    c.secondary(secondary::kTscScaling);
    c.set(f::kTscMultiplier, 1);
  }));
}

void add_tertiary(std::vector<Vector>& v) {
  const auto needs_ept = [&v](RuleId id, std::uint64_t mask) {
    v.push_back({id, Base::kLong, [](EntryCase& c) { c.tertiary(0); },
                 [mask](EntryCase& c) { c.tertiary(mask); }});
  };
  needs_ept(kHlatNeedsEpt, tertiary::kEnableHlat);
  needs_ept(kPagingWriteNeedsEpt, tertiary::kEptPagingWrite);
  needs_ept(kPagingVerificationNeedsEpt, tertiary::kGuestPagingVerification);
  for (const std::uint64_t pointer : {std::uint64_t{0x6001}, std::uint64_t{0x6020}, kBeyond}) {
    v.push_back(spoil_field(kHlatPointer, Base::kLong, f::kHlatPointer, pointer, [](EntryCase& c) {
      c.enable_ept();
      c.tertiary(tertiary::kEnableHlat);
      c.set(f::kHlatPointer, 0x6018);
    }));
  }
  v.push_back(spoil_field(kPidPointerTable, Base::kLong, f::kPidPointerTableAddress, 0xe004,
                          with_ipi_virtualization));
  v.push_back(spoil_field(kPidPointerTableEnd, Base::kLong, f::kPidPointerTableAddress,
                          kBeyond - 56, with_ipi_virtualization));
  add_page(v, kLowPasidDirectory, f::kLowPasidDirectoryAddress,
           with_secondary(secondary::kPasidTranslation));
  add_page(v, kHighPasidDirectory, f::kHighPasidDirectoryAddress,
           with_secondary(secondary::kPasidTranslation));
}

}  // namespace

std::vector<Vector> execution_vectors() {
  std::vector<Vector> vectors;
  add_control_words(vectors);
  add_apic(vectors);
  add_posted_interrupts(vectors);
  add_ept(vectors);
  add_features(vectors);
  add_tertiary(vectors);
  return vectors;
}

}  // namespace archelon::test
