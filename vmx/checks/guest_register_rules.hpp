#pragma once

#include "vmx/checks/host_rules.hpp"

namespace archelon::vmx::checks {

// An MSR that the entry loads under a control, and the bits that it may have.
template <std::uint32_t kControl, std::uint64_t CheckEnvironment::*kAllowed>
[[nodiscard]] constexpr auto loaded_msr_rule(RuleId id, std::string_view name, Field64 field) {
  return rule(id, name, looks_at(kEntry, field), [field](const auto& c) {
    return !c.entry(kControl) || (c.read(field) & ~(c.env.*kAllowed)) == 0;
  });
}

template <class Context>
[[nodiscard]] bool loads_guest_cet(const Context& c) {
  return c.entry(entry_controls::kLoadCetState);
}

inline constexpr FieldSet kCr0Fields = looks_at(kSecondary, fields::kGuestCr0);

// SDM vol. 3C, "Checks on Guest Control Registers, Debug Registers, and MSRs".
inline constexpr auto kGuestControlRegisterRules = rules(
    CheckSection::kGuestRegisters,
    rule(RuleId::kGuestCr0,
         "guest CR0 must have the bits that VMX operation fixes (PE and PG may be 0 for an "
         "unrestricted guest)",
         kCr0Fields,
         [](const auto& c) {
           // VM entries leave these two as they are.
           constexpr std::uint64_t kIgnored = arch::cr0::kNw | arch::cr0::kCd;
           const std::uint64_t value = c.read(fields::kGuestCr0);
           const std::uint64_t missing = ~value & c.caps[arch::msr::kVmxCr0Fixed0] & ~kIgnored;
           if ((value & ~c.caps[arch::msr::kVmxCr0Fixed1] & ~kIgnored) != 0) {
             return false;
           }
           return missing == 0 ||
                  ((missing & ~(arch::cr0::kPe | arch::cr0::kPg)) == 0 && c.unrestricted());
         }),
    rule(RuleId::kGuestPagingNeedsProtection, "guest CR0.PE must be 1 if guest CR0.PG is 1",
         looks_at(fields::kGuestCr0),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kGuestCr0);
           return (value & arch::cr0::kPg) == 0 || (value & arch::cr0::kPe) != 0;
         }),
    rule(RuleId::kGuestCr4, "guest CR4 must have the bits that VMX operation fixes",
         looks_at(fields::kGuestCr4),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kGuestCr4);
           return (~value & c.caps[arch::msr::kVmxCr4Fixed0]) == 0 &&
                  (value & ~c.caps[arch::msr::kVmxCr4Fixed1]) == 0;
         }),
    rule(RuleId::kGuestCetNeedsWp, "guest CR0.WP must be 1 if guest CR4.CET is 1",
         looks_at(fields::kGuestCr0, fields::kGuestCr4),
         [](const auto& c) {
           return (c.read(fields::kGuestCr4) & arch::cr4::kCet) == 0 ||
                  (c.read(fields::kGuestCr0) & arch::cr0::kWp) != 0;
         }),
    loaded_msr_rule<entry_controls::kLoadDebugControls, &CheckEnvironment::debugctl>(
        RuleId::kGuestDebugCtl, "guest IA32_DEBUGCTL must not have reserved bits set",
        fields::kGuestDebugCtl),
    rule(RuleId::kGuestIa32eNeedsPaging, "guest CR0.PG must be 1 if \"IA-32e mode guest\" is 1",
         looks_at(kEntry, fields::kGuestCr0),
         [](const auto& c) {
           return !c.ia32e_guest() || (c.read(fields::kGuestCr0) & arch::cr0::kPg) != 0;
         }),
    rule(RuleId::kGuestIa32eNeedsPae, "guest CR4.PAE must be 1 if \"IA-32e mode guest\" is 1",
         looks_at(kEntry, fields::kGuestCr4),
         [](const auto& c) {
           return !c.ia32e_guest() || (c.read(fields::kGuestCr4) & arch::cr4::kPae) != 0;
         }),
    rule(RuleId::kGuestPcideNeedsIa32e, "guest CR4.PCIDE must be 0 if \"IA-32e mode guest\" is 0",
         looks_at(kEntry, fields::kGuestCr4),
         [](const auto& c) {
           return c.ia32e_guest() || (c.read(fields::kGuestCr4) & arch::cr4::kPcide) == 0;
         }),
    rule(RuleId::kGuestFredNeedsIa32e, "guest CR4.FRED must be 0 if \"IA-32e mode guest\" is 0",
         looks_at(kEntry, fields::kGuestCr4),
         [](const auto& c) {
           return c.ia32e_guest() || (c.read(fields::kGuestCr4) & kCr4Fred) == 0;
         }),
    rule(RuleId::kGuestCr3, "guest CR3 must not have bits beyond the physical-address width",
         looks_at(fields::kGuestCr3),
         [](const auto& c) { return c.valid_cr3(c.read(fields::kGuestCr3)); }),
    rule(RuleId::kGuestDr7, "bits 63:32 of guest DR7 must be 0",
         looks_at(kEntry, fields::kGuestDr7), [](const auto& c) {
           return !c.entry(entry_controls::kLoadDebugControls) ||
                  (c.read(fields::kGuestDr7) >> 32) == 0;
         }));

inline constexpr auto kGuestMsrRules = rules(
    CheckSection::kGuestRegisters,
    canonical_rule(RuleId::kGuestSysenterEsp, "guest IA32_SYSENTER_ESP must be canonical",
                   fields::kGuestSysenterEsp),
    canonical_rule(RuleId::kGuestSysenterEip, "guest IA32_SYSENTER_EIP must be canonical",
                   fields::kGuestSysenterEip),
    loaded_msr_rule<entry_controls::kLoadPerfGlobalCtrl, &CheckEnvironment::perf_global_ctrl>(
        RuleId::kGuestPerfGlobalCtrl, "guest IA32_PERF_GLOBAL_CTRL must not have reserved bits set",
        fields::kGuestPerfGlobalCtrl),
    rule(RuleId::kGuestPat, "each byte of guest IA32_PAT must be a memory type",
         looks_at(kEntry, fields::kGuestPat),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadPat) ||
                  arch::msr::is_valid_pat(c.read(fields::kGuestPat));
         }),
    loaded_msr_rule<entry_controls::kLoadEfer, &CheckEnvironment::efer>(
        RuleId::kGuestEferReserved, "guest IA32_EFER must not have reserved bits set",
        fields::kGuestEfer),
    rule(RuleId::kGuestEferLma, "guest IA32_EFER.LMA must be what \"IA-32e mode guest\" is",
         looks_at(kEntry, fields::kGuestEfer),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadEfer) ||
                  ((c.read(fields::kGuestEfer) & arch::efer::kLma) != 0) == c.ia32e_guest();
         }),
    rule(RuleId::kGuestEferLme, "guest IA32_EFER.LME must be equal to LMA if guest CR0.PG is 1",
         looks_at(kEntry, fields::kGuestEfer, fields::kGuestCr0),
         [](const auto& c) {
           if (!c.entry(entry_controls::kLoadEfer)) {
             return true;
           }
           const std::uint64_t efer = c.read(fields::kGuestEfer);
           return ((efer & arch::efer::kLma) != 0) == ((efer & arch::efer::kLme) != 0) ||
                  (c.read(fields::kGuestCr0) & arch::cr0::kPg) == 0;
         }),
    rule(RuleId::kGuestBndCfgsReserved, "bits 11:2 of guest IA32_BNDCFGS must be 0",
         looks_at(kEntry, fields::kGuestBndCfgs),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadBndCfgs) ||
                  (c.read(fields::kGuestBndCfgs) & bit_mask(11, 2)) == 0;
         }),
    rule(RuleId::kGuestBndCfgsBase, "the base address in guest IA32_BNDCFGS must be canonical",
         looks_at(kEntry, fields::kGuestBndCfgs),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadBndCfgs) ||
                  c.canonical(c.read(fields::kGuestBndCfgs) & bit_mask(63, 12));
         }),
    loaded_msr_rule<entry_controls::kLoadRtitCtl, &CheckEnvironment::rtit_ctl>(
        RuleId::kGuestRtitCtl, "guest IA32_RTIT_CTL must not have reserved bits set",
        fields::kGuestRtitCtl),
    rule(RuleId::kGuestSCetReserved, "guest IA32_S_CET must not have reserved bits set",
         looks_at(kEntry, fields::kGuestSCet),
         [](const auto& c) {
           return !loads_guest_cet(c) || (c.read(fields::kGuestSCet) & s_cet::kReserved) == 0;
         }),
    rule(RuleId::kGuestSCetSuppress, "SUPPRESS and TRACKER of guest IA32_S_CET must not both be 1",
         looks_at(kEntry, fields::kGuestSCet),
         [](const auto& c) {
           constexpr std::uint64_t kBoth = s_cet::kSuppress | s_cet::kTracker;
           return !loads_guest_cet(c) || (c.read(fields::kGuestSCet) & kBoth) != kBoth;
         }),
    rule(RuleId::kGuestSCetBase,
         "guest IA32_S_CET must be canonical, with bits 63:32 0 outside IA-32e mode",
         looks_at(kEntry, fields::kGuestSCet),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kGuestSCet);
           return !loads_guest_cet(c) ||
                  (c.ia32e_guest() ? c.canonical(value) : (value >> 32) == 0);
         }),
    rule(RuleId::kGuestInterruptSspTable, "guest IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical",
         looks_at(kEntry, fields::kGuestInterruptSspTable),
         [](const auto& c) {
           return !loads_guest_cet(c) || c.canonical(c.read(fields::kGuestInterruptSspTable));
         }),
    loaded_msr_rule<entry_controls::kLoadLbrCtl, &CheckEnvironment::lbr_ctl>(
        RuleId::kGuestLbrCtl, "guest IA32_LBR_CTL must not have reserved bits set",
        fields::kGuestLbrCtl),
    rule(RuleId::kGuestPkrs, "bits 63:32 of guest IA32_PKRS must be 0",
         looks_at(kEntry, fields::kGuestPkrs),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadPkrs) || (c.read(fields::kGuestPkrs) >> 32) == 0;
         }),
    rule(RuleId::kGuestUinv, "bits 15:8 of guest UINV must be 0",
         looks_at(kEntry, fields::kGuestUinv),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadUinv) || c.read(fields::kGuestUinv) <= 0xff;
         }),
    rule(RuleId::kGuestFredConfig,
         "guest IA32_FRED_CONFIG must be canonical and must not have reserved bits set",
         looks_at(kEntry, fields::kGuestFredConfig),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kGuestFredConfig);
           return !c.entry(entry_controls::kLoadFred) ||
                  (c.canonical(value) && (value & kFredConfigReserved) == 0);
         }),
    rule(RuleId::kGuestFredRsp,
         "guest IA32_FRED_RSP1 to RSP3 must be canonical and 64-byte aligned",
         looks_at(kEntry, fields::kGuestFredRsp1, fields::kGuestFredRsp2, fields::kGuestFredRsp3),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadFred) ||
                  fred_stacks(c, fields::kGuestFredRsp1, 0x3f);
         }),
    rule(RuleId::kGuestFredSsp, "guest IA32_FRED_SSP1 to SSP3 must be canonical and 8-byte aligned",
         looks_at(kEntry, fields::kGuestFredSsp1, fields::kGuestFredSsp2, fields::kGuestFredSsp3),
         [](const auto& c) {
           return !c.entry(entry_controls::kLoadFred) || fred_stacks(c, fields::kGuestFredSsp1, 7);
         }),
    loaded_msr_rule<entry_controls::kLoadSpecCtrl, &CheckEnvironment::spec_ctrl>(
        RuleId::kGuestSpecCtrl, "guest IA32_SPEC_CTRL must not have reserved bits set",
        fields::kGuestSpecCtrl));

}  // namespace archelon::vmx::checks
