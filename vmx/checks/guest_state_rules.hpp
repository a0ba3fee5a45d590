#pragma once

#include "vmx/checks/guest_segment_rules.hpp"
#include "vmx/checks/host_rules.hpp"

namespace archelon::vmx::checks {

[[nodiscard]] constexpr auto limit16_rule(RuleId id, std::string_view name, Field32 field) {
  return rule(id, name, looks_at(field),
              [field](const auto& c) { return c.read(field) <= 0xffff; });
}

// SDM vol. 3C, "Checks on Guest Descriptor-Table Registers".
inline constexpr auto kGuestTableRules =
    rules(CheckSection::kGuestTables,
          canonical_rule(RuleId::kGuestGdtrBase, "guest GDTR base must be canonical",
                         fields::kGuestGdtrBase),
          canonical_rule(RuleId::kGuestIdtrBase, "guest IDTR base must be canonical",
                         fields::kGuestIdtrBase),
          limit16_rule(RuleId::kGuestGdtrLimit, "bits 31:16 of guest GDTR limit must be 0",
                       fields::kGuestGdtrLimit),
          limit16_rule(RuleId::kGuestIdtrLimit, "bits 31:16 of guest IDTR limit must be 0",
                       fields::kGuestIdtrLimit));

// The fields behind CheckContext::guest64.
inline constexpr FieldSet kGuest64 = looks_at(kEntry, kCs.access_rights);

// SDM vol. 3C, "Checks on Guest RIP, RFLAGS, and SSP".
inline constexpr auto kGuestRipRules = rules(
    CheckSection::kGuestRip,
    rule(RuleId::kGuestRip32,
         "bits 63:32 of guest RIP must be 0 outside 64-bit mode (IA-32e mode with CS.L = 1)",
         looks_at(kGuest64, fields::kGuestRip),
         [](const auto& c) { return (c.read(fields::kGuestRip) >> 32) == 0 || c.guest64(); }),
    rule(RuleId::kGuestRip64,
         "the bits of guest RIP above the linear-address width must be equal in 64-bit mode",
         looks_at(kGuest64, fields::kGuestRip),
         [](const auto& c) { return c.extended(c.read(fields::kGuestRip)) || !c.guest64(); }),
    rule(RuleId::kGuestRflagsReserved, "bits 63:22, 15, 5 and 3 of guest RFLAGS must be 0",
         looks_at(fields::kGuestRflags),
         [](const auto& c) {
           return (c.read(fields::kGuestRflags) & arch::rflags::kReserved) == 0;
         }),
    rule(RuleId::kGuestRflagsFixed, "bit 1 of guest RFLAGS must be 1",
         looks_at(fields::kGuestRflags),
         [](const auto& c) { return (c.read(fields::kGuestRflags) & arch::rflags::kFixed1) != 0; }),
    rule(RuleId::kGuestRflagsVmIa32e, "guest RFLAGS.VM must be 0 if \"IA-32e mode guest\" is 1",
         kV86,
         [](const auto& c) {
           return !c.ia32e_guest() || (c.read(fields::kGuestRflags) & arch::rflags::kVm) == 0;
         }),
    rule(RuleId::kGuestRflagsVmReal, "guest RFLAGS.VM must be 0 if guest CR0.PE is 0",
         looks_at(fields::kGuestRflags, fields::kGuestCr0),
         [](const auto& c) {
           return (c.read(fields::kGuestRflags) & arch::rflags::kVm) == 0 ||
                  (c.read(fields::kGuestCr0) & arch::cr0::kPe) != 0;
         }),
    rule(RuleId::kGuestRflagsIf, "guest RFLAGS.IF must be 1 if an external interrupt is injected",
         looks_at(kEvent, fields::kGuestRflags),
         [](const auto& c) {
           return !c.injects(EventType::kExternalInterrupt) ||
                  (c.read(fields::kGuestRflags) & arch::rflags::kIf) != 0;
         }),
    rule(RuleId::kGuestSspAligned, "bits 1:0 of guest SSP must be 0",
         looks_at(kEntry, fields::kGuestSsp),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadCetState) || (c.read(fields::kGuestSsp) & 3) == 0;
         }),
    rule(RuleId::kGuestSsp32, "bits 63:32 of guest SSP must be 0 outside 64-bit mode",
         looks_at(kGuest64, fields::kGuestSsp),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadCetState) ||
                  (c.read(fields::kGuestSsp) >> 32) == 0 || c.guest64();
         }),
    rule(RuleId::kGuestSsp64,
         "the bits of guest SSP above the linear-address width must be equal in 64-bit mode",
         looks_at(kGuest64, fields::kGuestSsp), [](const auto& c) {
           return !c.entry(entry_controls::kLoadCetState) ||
                  c.extended(c.read(fields::kGuestSsp)) || !c.guest64();
         }));

inline constexpr FieldSet kActivity = looks_at(fields::kGuestActivityState);
inline constexpr FieldSet kBlocking = looks_at(fields::kGuestInterruptibilityState);

// SDM vol. 3C, "Checks on Guest Non-Register State".
inline constexpr auto kActivityRules = rules(
    CheckSection::kGuestNonRegister,
    rule(RuleId::kActivityRange, "the activity state must be in the range 0-3", kActivity,
         [](const auto& c) { return c.read(fields::kGuestActivityState) <= 3; }),
    rule(RuleId::kActivitySupported, "the activity state must be one that IA32_VMX_MISC offers",
         kActivity,
         [](const auto& c) {
           const std::uint32_t state = c.read(fields::kGuestActivityState);
           // HLT is bit 6, shutdown bit 7, wait-for-SIPI bit 8.
           return state == 0 || state > 3 || c.caps.has(arch::msr::kVmxMisc, bit(5 + state));
         }),
    rule(RuleId::kActivityHltCpl, "the activity state must not be HLT if DPL of guest SS is not 0",
         looks_at(kActivity, kSs.access_rights),
         [](const auto& c) {
           return !c.activity(ActivityState::kHlt) || ar::dpl(c.rights(Segment::kSs)) == 0;
         }),
    rule(RuleId::kActivityBlocking,
         "the activity state must be active if there is blocking by STI or by MOV SS",
         looks_at(kActivity, kBlocking),
         [](const auto& c) {
           return c.activity(ActivityState::kActive) ||
                  !c.blocked(interruptibility::kBlockingBySti | interruptibility::kBlockingByMovSs);
         }),
    rule(RuleId::kActivityHltEvent,
         "only an external interrupt, NMI, #DB, #MC or pending MTF exit may be injected into HLT",
         looks_at(kActivity, kEvent),
         [](const auto& c) {
           const InterruptionInfo event = c.event();
           return !c.activity(ActivityState::kHlt) || !event.valid() ||
                  event.type() == EventType::kExternalInterrupt ||
                  event.type() == EventType::kNmi || event.is_exception(arch::Vector::kDb) ||
                  event.is_exception(arch::Vector::kMc) ||
                  (event.type() == EventType::kOther && event.vector() == 0);
         }),
    rule(RuleId::kActivityShutdownEvent, "only an NMI or #MC may be injected into shutdown",
         looks_at(kActivity, kEvent),
         [](const auto& c) {
           const InterruptionInfo event = c.event();
           return !c.activity(ActivityState::kShutdown) || !event.valid() ||
                  event.type() == EventType::kNmi || event.is_exception(arch::Vector::kMc);
         }),
    rule(RuleId::kActivitySipiEvent, "nothing may be injected into wait-for-SIPI",
         looks_at(kActivity, kEvent),
         [](const auto& c) {
           return !c.activity(ActivityState::kWaitForSipi) || !c.event().valid();
         }),
    rule(RuleId::kActivitySipiSmm,
         "the activity state must not be wait-for-SIPI if \"entry to SMM\" is 1",
         looks_at(kActivity, kEntry), [](const auto& c) {
           return !c.activity(ActivityState::kWaitForSipi) || !c.entry(entry_controls::kEntryToSmm);
         }));

inline constexpr auto kInterruptibilityRules = rules(
    CheckSection::kGuestNonRegister,
    rule(RuleId::kInterruptibilityReserved, "bits 31:5 of the interruptibility state must be 0",
         kBlocking, [](const auto& c) { return !c.blocked(interruptibility::kReserved); }),
    rule(RuleId::kBlockingStiAndMovSs,
         "there must not be blocking by STI and by MOV SS at the same time", kBlocking,
         [](const auto& c) {
           return !c.blocked(interruptibility::kBlockingBySti) ||
                  !c.blocked(interruptibility::kBlockingByMovSs);
         }),
    rule(RuleId::kBlockingStiNeedsIf, "there must not be blocking by STI if guest RFLAGS.IF is 0",
         looks_at(kBlocking, fields::kGuestRflags),
         [](const auto& c) {
           return !c.blocked(interruptibility::kBlockingBySti) ||
                  (c.read(fields::kGuestRflags) & arch::rflags::kIf) != 0;
         }),
    rule(RuleId::kBlockingInterrupt,
         "there must not be blocking by STI or by MOV SS if an external interrupt is injected",
         looks_at(kBlocking, kEvent),
         [](const auto& c) {
           return !c.injects(EventType::kExternalInterrupt) ||
                  !c.blocked(interruptibility::kBlockingBySti | interruptibility::kBlockingByMovSs);
         }),
    rule(RuleId::kBlockingMovSsNmi, "there must not be blocking by MOV SS if an NMI is injected",
         looks_at(kBlocking, kEvent),
         [](const auto& c) {
           return !c.injects(EventType::kNmi) || !c.blocked(interruptibility::kBlockingByMovSs);
         }),
    rule(
        RuleId::kBlockingSmiOutsideSmm, "there must not be blocking by SMI outside SMM", kBlocking,
        [](const auto& c) { return c.env.in_smm || !c.blocked(interruptibility::kBlockingBySmi); }),
    rule(RuleId::kBlockingSmiEntryToSmm, "there must be blocking by SMI if \"entry to SMM\" is 1",
         looks_at(kBlocking, kEntry),
         [](const auto& c) {
           return !c.entry(entry_controls::kEntryToSmm) ||
                  c.blocked(interruptibility::kBlockingBySmi);
         }),
    rule(RuleId::kBlockingStiNmi, "there must not be blocking by STI if an NMI is injected",
         looks_at(kBlocking, kEvent),
         [](const auto& c) {
           return !c.env.sti_blocks_nmi || !c.injects(EventType::kNmi) ||
                  !c.blocked(interruptibility::kBlockingBySti);
         })
        .with_qualification(entry_failure::kNmiBlockedBySti),
    rule(RuleId::kBlockingNmi,
         "there must not be blocking by NMI if an NMI is injected with \"virtual NMIs\"",
         looks_at(kBlocking, kEvent, kPin),
         [](const auto& c) {
           return !c.pin(pin::kVirtualNmis) || !c.injects(EventType::kNmi) ||
                  !c.blocked(interruptibility::kBlockingByNmi);
         }),
    rule(RuleId::kBlockingStiFred,
         "there must not be blocking by STI if guest CR4.FRED is 1 and DPL of guest SS is 3",
         looks_at(kBlocking, fields::kGuestCr4, kSs.access_rights),
         [](const auto& c) {
           return !c.blocked(interruptibility::kBlockingBySti) ||
                  (c.read(fields::kGuestCr4) & kCr4Fred) == 0 ||
                  ar::dpl(c.rights(Segment::kSs)) != 3;
         }),
    rule(RuleId::kEnclaveMovSs, "there must not be blocking by MOV SS with an enclave interruption",
         kBlocking,
         [](const auto& c) {
           return !c.blocked(interruptibility::kEnclaveInterruption) ||
                  !c.blocked(interruptibility::kBlockingByMovSs);
         }),
    rule(RuleId::kEnclaveNeedsSgx, "there must not be an enclave interruption on a CPU without SGX",
         kBlocking, [](const auto& c) {
           return c.env.sgx || !c.blocked(interruptibility::kEnclaveInterruption);
         }));

inline constexpr FieldSet kPendingDebug = looks_at(fields::kGuestPendingDebugExceptions);
inline constexpr FieldSet kSingleStep =
    looks_at(kPendingDebug, kBlocking, kActivity, fields::kGuestRflags, fields::kGuestDebugCtl);

// A single step that is waiting to be delivered.
template <class Context>
[[nodiscard]] bool holds_back_debug(const Context& c) {
  return c.blocked(interruptibility::kBlockingBySti | interruptibility::kBlockingByMovSs) ||
         c.activity(ActivityState::kHlt);
}
template <class Context>
[[nodiscard]] bool single_steps(const Context& c) {
  return (c.read(fields::kGuestRflags) & arch::rflags::kTf) != 0 &&
         (c.read(fields::kGuestDebugCtl) & arch::msr::kDebugCtlBtf) == 0;
}

inline constexpr auto kPendingDebugRules = rules(
    CheckSection::kGuestNonRegister,
    rule(RuleId::kPendingDebugReserved,
         "the pending debug exceptions must not have reserved bits set", kPendingDebug,
         [](const auto& c) {
           const std::uint64_t absent = c.env.bus_lock_debug ? 0 : pending_debug::kBusLock;
           return (c.read(fields::kGuestPendingDebugExceptions) &
                   (pending_debug::kReserved | absent)) == 0;
         }),
    rule(RuleId::kPendingDebugStepMissing,
         "BS of the pending debug exceptions must be 1 if the guest single-steps (TF = 1, BTF = 0) "
         "and is blocked by STI or MOV SS, or halted",
         kSingleStep,
         [](const auto& c) {
           return !holds_back_debug(c) || !single_steps(c) ||
                  (c.read(fields::kGuestPendingDebugExceptions) & pending_debug::kBs) != 0;
         }),
    rule(RuleId::kPendingDebugStepUnwanted,
         "BS of the pending debug exceptions must be 0 if the guest does not single-step (TF = 0 "
         "or BTF = 1) and is blocked by STI or MOV SS, or halted",
         kSingleStep,
         [](const auto& c) {
           return !holds_back_debug(c) || single_steps(c) ||
                  (c.read(fields::kGuestPendingDebugExceptions) & pending_debug::kBs) == 0;
         }),
    rule(RuleId::kPendingDebugRtmShape,
         "the pending debug exceptions must have bit 12 and no other set beside RTM", kPendingDebug,
         [](const auto& c) {
           const std::uint64_t pending = c.read(fields::kGuestPendingDebugExceptions);
           return (pending & pending_debug::kRtm) == 0 ||
                  (pending & ~pending_debug::kReserved) ==
                      (pending_debug::kRtm | pending_debug::kEnabledBreakpoint);
         }),
    rule(RuleId::kPendingDebugRtmNeedsTsx,
         "RTM of the pending debug exceptions must be 0 on a CPU without RTM", kPendingDebug,
         [](const auto& c) {
           return c.env.tsx ||
                  (c.read(fields::kGuestPendingDebugExceptions) & pending_debug::kRtm) == 0;
         }),
    rule(RuleId::kPendingDebugRtmMovSs,
         "RTM of the pending debug exceptions must be 0 if there is blocking by MOV SS",
         looks_at(kPendingDebug, kBlocking), [](const auto& c) {
           return (c.read(fields::kGuestPendingDebugExceptions) & pending_debug::kRtm) == 0 ||
                  !c.blocked(interruptibility::kBlockingByMovSs);
         }));

inline constexpr std::uint64_t kNoLink = ~std::uint64_t{0};
inline constexpr std::uint32_t kShadowVmcs = std::uint32_t{1} << 31;

template <class Context>
[[nodiscard]] bool has_link(const Context& c) {
  return c.read(fields::kVmcsLinkPointer) != kNoLink;
}
template <class Context>
[[nodiscard]] std::uint32_t linked_revision(const Context& c) {
  return c.template memory<std::uint32_t>(c.read(fields::kVmcsLinkPointer));
}

inline constexpr FieldSet kLink = looks_at(fields::kVmcsLinkPointer);

inline constexpr auto kLinkPointerRules = rules(
    CheckSection::kGuestNonRegister,
    rule(RuleId::kLinkPointerAddress,
         "the VMCS link pointer must be page-aligned and within the physical-address width, or all "
         "ones",
         kLink, [](const auto& c) { return !has_link(c) || c.page(fields::kVmcsLinkPointer); })
        .with_qualification(entry_failure::kLinkPointer),
    rule(RuleId::kLinkPointerRevision,
         "the VMCS that the link pointer names must have this CPU's VMCS revision identifier",
         kLink,
         [](const auto& c) {
           return !has_link(c) || (linked_revision(c) & ~kShadowVmcs) == c.caps.revision();
         })
        .with_qualification(entry_failure::kLinkPointer)
        .reading_memory(),
    rule(RuleId::kLinkPointerShadow,
         "the VMCS that the link pointer names must be a shadow VMCS exactly if \"VMCS shadowing\" "
         "is 1",
         looks_at(kLink, kSecondary),
         [](const auto& c) {
           return !has_link(c) || ((linked_revision(c) & kShadowVmcs) != 0) ==
                                      c.secondary(secondary::kVmcsShadowing);
         })
        .with_qualification(entry_failure::kLinkPointer)
        .reading_memory(),
    rule(RuleId::kLinkPointerCurrent, "the VMCS link pointer must not be the current VMCS",
         looks_at(kLink, kEntry),
         [](const auto& c) {
           return !has_link(c) || (c.env.in_smm && !c.entry(entry_controls::kEntryToSmm)) ||
                  c.read(fields::kVmcsLinkPointer) != c.env.current_vmcs;
         })
        .with_qualification(entry_failure::kLinkPointer),
    rule(RuleId::kLinkPointerExecutive,
         "the VMCS link pointer must not be the executive VMCS when SMM is left",
         looks_at(kLink, kEntry),
         [](const auto& c) {
           return !has_link(c) || !c.env.in_smm || c.entry(entry_controls::kEntryToSmm) ||
                  c.read(fields::kVmcsLinkPointer) != c.env.executive_vmcs;
         })
        .with_qualification(entry_failure::kLinkPointer));

// L2 will use PAE paging.
template <class Context>
[[nodiscard]] bool pae_paging(const Context& c) {
  return !c.ia32e_guest() && (c.read(fields::kGuestCr0) & arch::cr0::kPg) != 0 &&
         (c.read(fields::kGuestCr4) & arch::cr4::kPae) != 0;
}
template <class Context>
[[nodiscard]] bool valid_pdpte(const Context& c, std::uint64_t pdpte) {
  constexpr std::uint64_t kReserved = bit_mask(2, 1) | bit_mask(8, 5);
  return (pdpte & 1) == 0 || ((pdpte & kReserved) == 0 && (pdpte >> c.env.physical_bits) == 0);
}

inline constexpr FieldSet kPaePaging =
    looks_at(kEntry, kSecondary, fields::kGuestCr0, fields::kGuestCr4);

[[nodiscard]] constexpr auto pdpte_rule(RuleId id, std::string_view name, Field64 field) {
  return rule(id, name, looks_at(kPaePaging, field),
              [field](const auto& c) {
                return !c.ept() || !pae_paging(c) || valid_pdpte(c, c.read(field));
              })
      .with_qualification(entry_failure::kPdpte);
}

// SDM vol. 3C, "Checks on Guest Page-Directory-Pointer-Table Entries".
inline constexpr auto kPdpteRules = rules(
    CheckSection::kGuestPdptes,
    pdpte_rule(RuleId::kGuestPdpte0,
               "guest PDPTE0 must not have reserved bits set if present, with PAE paging and EPT",
               fields::kGuestPdpte0),
    pdpte_rule(RuleId::kGuestPdpte1,
               "guest PDPTE1 must not have reserved bits set if present, with PAE paging and EPT",
               fields::kGuestPdpte1),
    pdpte_rule(RuleId::kGuestPdpte2,
               "guest PDPTE2 must not have reserved bits set if present, with PAE paging and EPT",
               fields::kGuestPdpte2),
    pdpte_rule(RuleId::kGuestPdpte3,
               "guest PDPTE3 must not have reserved bits set if present, with PAE paging and EPT",
               fields::kGuestPdpte3),
    rule(RuleId::kPdptesInMemory,
         "the PDPTEs that guest CR3 points to must not have reserved bits set if present, with PAE "
         "paging and no EPT",
         looks_at(kPaePaging, fields::kGuestCr3),
         [](const auto& c) {
           if (c.ept() || !pae_paging(c)) {
             return true;
           }
           const std::uint64_t table = c.read(fields::kGuestCr3) & bit_mask(31, 5);
           for (std::uint64_t i = 0; i < 4; ++i) {
             if (!valid_pdpte(c, c.template memory<std::uint64_t>(table + i * 8))) {
               return false;
             }
           }
           return true;
         })
        .with_qualification(entry_failure::kPdpte)
        .reading_memory());

}  // namespace archelon::vmx::checks
