#pragma once

#include "hv/arch/msr.hpp"
#include "vmx/checks/check_context.hpp"

namespace archelon::vmx::checks {

// IA32_S_CET. SDM vol. 3A/1, "Control-flow Enforcement Technology (CET)".
namespace s_cet {
inline constexpr std::uint64_t kReserved = bit_mask(9, 6);
inline constexpr std::uint64_t kSuppress = bit(10);
inline constexpr std::uint64_t kTracker = bit(11);
}  // namespace s_cet
inline constexpr std::uint64_t kFredConfigReserved = bit(2) | bit(4) | bit(5) | bit(11);

template <class Context>
[[nodiscard]] bool fred_stacks(const Context& c, Field64 first, std::uint64_t low_bits) {
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::uint64_t pointer = c.read(first.at(i));
    if (!c.canonical(pointer) || (pointer & low_bits) != 0) {
      return false;
    }
  }
  return true;
}

[[nodiscard]] constexpr auto canonical_rule(RuleId id, std::string_view name, FieldNatural field) {
  return rule(id, name, looks_at(field),
              [field](const auto& c) { return c.canonical(c.read(field)); });
}

// SDM vol. 3C, "Checks on Host Control Registers, MSRs, and SSP".
inline constexpr auto kHostRegisterRules = rules(
    CheckSection::kHostRegisters,
    rule(RuleId::kHostCr0, "host CR0 must have the bits that VMX operation fixes",
         looks_at(fields::kHostCr0),
         [](const auto& c) {
           // VM exits leave these two as they are.
           constexpr std::uint64_t kIgnored = arch::cr0::kNw | arch::cr0::kCd;
           const std::uint64_t value = c.read(fields::kHostCr0);
           return ((~value & c.caps[arch::msr::kVmxCr0Fixed0]) & ~kIgnored) == 0 &&
                  ((value & ~c.caps[arch::msr::kVmxCr0Fixed1]) & ~kIgnored) == 0;
         }),
    rule(RuleId::kHostCr4, "host CR4 must have the bits that VMX operation fixes",
         looks_at(fields::kHostCr4),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kHostCr4);
           return (~value & c.caps[arch::msr::kVmxCr4Fixed0]) == 0 &&
                  (value & ~c.caps[arch::msr::kVmxCr4Fixed1]) == 0;
         }),
    rule(RuleId::kHostCetNeedsWp, "host CR0.WP must be 1 if host CR4.CET is 1",
         looks_at(fields::kHostCr0, fields::kHostCr4),
         [](const auto& c) {
           return (c.read(fields::kHostCr4) & arch::cr4::kCet) == 0 ||
                  (c.read(fields::kHostCr0) & arch::cr0::kWp) != 0;
         }),
    rule(RuleId::kHostCr3, "host CR3 must not have bits beyond the physical-address width",
         looks_at(fields::kHostCr3),
         [](const auto& c) { return c.valid_cr3(c.read(fields::kHostCr3)); }),
    canonical_rule(RuleId::kHostSysenterEsp, "host IA32_SYSENTER_ESP must be canonical",
                   fields::kHostSysenterEsp),
    canonical_rule(RuleId::kHostSysenterEip, "host IA32_SYSENTER_EIP must be canonical",
                   fields::kHostSysenterEip),
    rule(RuleId::kHostPerfGlobalCtrl, "host IA32_PERF_GLOBAL_CTRL must not have reserved bits set",
         looks_at(kExit, fields::kHostPerfGlobalCtrl),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadPerfGlobalCtrl) ||
                  (c.read(fields::kHostPerfGlobalCtrl) & ~c.env.perf_global_ctrl) == 0;
         }),
    rule(RuleId::kHostPat, "each byte of host IA32_PAT must be a memory type",
         looks_at(kExit, fields::kHostPat),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadPat) ||
                  arch::msr::is_valid_pat(c.read(fields::kHostPat));
         }),
    rule(RuleId::kHostEferReserved, "host IA32_EFER must not have reserved bits set",
         looks_at(kExit, fields::kHostEfer),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadEfer) ||
                  (c.read(fields::kHostEfer) & ~c.env.efer) == 0;
         }),
    rule(RuleId::kHostEferMode,
         "host IA32_EFER.LMA and LME must both be what \"host address-space size\" is",
         looks_at(kExit, fields::kHostEfer),
         [](const auto& c) {
           constexpr std::uint64_t kMode = arch::efer::kLma | arch::efer::kLme;
           return !c.exit(exit_controls::kLoadEfer) ||
                  (c.read(fields::kHostEfer) & kMode) == (c.host64() ? kMode : 0);
         }),
    rule(RuleId::kHostSCetReserved, "host IA32_S_CET must not have reserved bits set",
         looks_at(kExit, fields::kHostSCet),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadCetState) ||
                  (c.read(fields::kHostSCet) & s_cet::kReserved) == 0;
         }),
    rule(RuleId::kHostSCetSuppress, "SUPPRESS and TRACKER of host IA32_S_CET must not both be 1",
         looks_at(kExit, fields::kHostSCet),
         [](const auto& c) {
           constexpr std::uint64_t kBoth = s_cet::kSuppress | s_cet::kTracker;
           return !c.exit(exit_controls::kLoadCetState) ||
                  (c.read(fields::kHostSCet) & kBoth) != kBoth;
         }),
    rule(RuleId::kHostInterruptSspTable, "host IA32_INTERRUPT_SSP_TABLE_ADDR must be canonical",
         looks_at(kExit, fields::kHostInterruptSspTable),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadCetState) ||
                  c.canonical(c.read(fields::kHostInterruptSspTable));
         }),
    rule(RuleId::kHostSspAligned, "bits 1:0 of host SSP must be 0",
         looks_at(kExit, fields::kHostSsp),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadCetState) || (c.read(fields::kHostSsp) & 3) == 0;
         }),
    rule(RuleId::kHostPkrs, "bits 63:32 of host IA32_PKRS must be 0",
         looks_at(kExit, fields::kHostPkrs),
         [](const auto& c) {
           return !c.exit(exit_controls::kLoadPkrs) || (c.read(fields::kHostPkrs) >> 32) == 0;
         }),
    rule(RuleId::kHostFredConfig,
         "host IA32_FRED_CONFIG must be canonical and must not have reserved bits set",
         looks_at(kSecondaryExit, fields::kHostFredConfig),
         [](const auto& c) {
           const std::uint64_t value = c.read(fields::kHostFredConfig);
           return !c.secondary_exit(secondary_exit::kLoadFred) ||
                  (c.canonical(value) && (value & kFredConfigReserved) == 0);
         }),
    rule(RuleId::kHostFredRsp, "host IA32_FRED_RSP1 to RSP3 must be canonical and 64-byte aligned",
         looks_at(kSecondaryExit, fields::kHostFredRsp1, fields::kHostFredRsp2,
                  fields::kHostFredRsp3),
         [](const auto& c) {
           return !c.secondary_exit(secondary_exit::kLoadFred) ||
                  fred_stacks(c, fields::kHostFredRsp1, 0x3f);
         }),
    rule(RuleId::kHostFredSsp, "host IA32_FRED_SSP1 to SSP3 must be canonical and 8-byte aligned",
         looks_at(kSecondaryExit, fields::kHostFredSsp1, fields::kHostFredSsp2,
                  fields::kHostFredSsp3),
         [](const auto& c) {
           return !c.secondary_exit(secondary_exit::kLoadFred) ||
                  fred_stacks(c, fields::kHostFredSsp1, 7);
         }),
    rule(RuleId::kHostSpecCtrl, "host IA32_SPEC_CTRL must not have reserved bits set",
         looks_at(kSecondaryExit, fields::kHostSpecCtrl), [](const auto& c) {
           return !c.secondary_exit(secondary_exit::kLoadSpecCtrl) ||
                  (c.read(fields::kHostSpecCtrl) & ~c.env.spec_ctrl) == 0;
         }));

[[nodiscard]] constexpr auto host_selector_rule(RuleId id, std::string_view name, Field16 field) {
  return rule(id, name, looks_at(field),
              [field](const auto& c) { return (c.read(field) & 7) == 0; });
}

// SDM vol. 3C, "Checks on Host Segment and Descriptor-Table Registers".
inline constexpr auto kHostSegmentRules = rules(
    CheckSection::kHostSegments,
    host_selector_rule(RuleId::kHostEsSelector, "TI and RPL of host ES must be 0",
                       fields::kHostEsSelector),
    host_selector_rule(RuleId::kHostCsSelector, "TI and RPL of host CS must be 0",
                       fields::kHostCsSelector),
    host_selector_rule(RuleId::kHostSsSelector, "TI and RPL of host SS must be 0",
                       fields::kHostSsSelector),
    host_selector_rule(RuleId::kHostDsSelector, "TI and RPL of host DS must be 0",
                       fields::kHostDsSelector),
    host_selector_rule(RuleId::kHostFsSelector, "TI and RPL of host FS must be 0",
                       fields::kHostFsSelector),
    host_selector_rule(RuleId::kHostGsSelector, "TI and RPL of host GS must be 0",
                       fields::kHostGsSelector),
    host_selector_rule(RuleId::kHostTrSelector, "TI and RPL of host TR must be 0",
                       fields::kHostTrSelector),
    rule(RuleId::kHostCsNull, "host CS must not be 0", looks_at(fields::kHostCsSelector),
         [](const auto& c) { return c.read(fields::kHostCsSelector) != 0; }),
    rule(RuleId::kHostTrNull, "host TR must not be 0", looks_at(fields::kHostTrSelector),
         [](const auto& c) { return c.read(fields::kHostTrSelector) != 0; }),
    rule(RuleId::kHostSsNull, "host SS must not be 0 if \"host address-space size\" is 0",
         looks_at(kExit, fields::kHostSsSelector),
         [](const auto& c) { return c.host64() || c.read(fields::kHostSsSelector) != 0; }),
    canonical_rule(RuleId::kHostFsBase, "host FS base must be canonical", fields::kHostFsBase),
    canonical_rule(RuleId::kHostGsBase, "host GS base must be canonical", fields::kHostGsBase),
    canonical_rule(RuleId::kHostGdtrBase, "host GDTR base must be canonical",
                   fields::kHostGdtrBase),
    canonical_rule(RuleId::kHostIdtrBase, "host IDTR base must be canonical",
                   fields::kHostIdtrBase),
    canonical_rule(RuleId::kHostTrBase, "host TR base must be canonical", fields::kHostTrBase));

template <class Context>
[[nodiscard]] bool loads_host_cet(const Context& c) {
  return c.exit(exit_controls::kLoadCetState);
}

// SDM vol. 3C, "Checks Related to Address-Space Size".
inline constexpr auto kAddressSpaceRules = rules(
    CheckSection::kAddressSpace,
    rule(RuleId::kLegacyModeHost,
         "\"host address-space size\" must be 0 when VM entry is outside IA-32e mode", kExit,
         [](const auto& c) { return c.env.long_mode.value_or(true) || !c.host64(); }),
    rule(RuleId::kLegacyModeGuest,
         "\"IA-32e mode guest\" must be 0 when VM entry is outside IA-32e mode", kEntry,
         [](const auto& c) { return c.env.long_mode.value_or(true) || !c.ia32e_guest(); }),
    rule(RuleId::kLongModeHost,
         "\"host address-space size\" must be 1 when VM entry is in IA-32e mode", kExit,
         [](const auto& c) { return !c.env.long_mode.value_or(false) || c.host64(); }),
    rule(RuleId::kHost32Guest,
         "\"IA-32e mode guest\" must be 0 if \"host address-space size\" is 0",
         looks_at(kExit, kEntry), [](const auto& c) { return c.host64() || !c.ia32e_guest(); }),
    rule(RuleId::kHost32Pcide, "host CR4.PCIDE must be 0 if \"host address-space size\" is 0",
         looks_at(kExit, fields::kHostCr4),
         [](const auto& c) {
           return c.host64() || (c.read(fields::kHostCr4) & arch::cr4::kPcide) == 0;
         }),
    rule(RuleId::kHost32Rip, "bits 63:32 of host RIP must be 0 if \"host address-space size\" is 0",
         looks_at(kExit, fields::kHostRip),
         [](const auto& c) { return c.host64() || (c.read(fields::kHostRip) >> 32) == 0; }),
    rule(RuleId::kHost32SCet,
         "bits 63:32 of host IA32_S_CET must be 0 if \"host address-space size\" is 0",
         looks_at(kExit, fields::kHostSCet),
         [](const auto& c) {
           return c.host64() || !loads_host_cet(c) || (c.read(fields::kHostSCet) >> 32) == 0;
         }),
    rule(RuleId::kHost32Ssp, "bits 63:32 of host SSP must be 0 if \"host address-space size\" is 0",
         looks_at(kExit, fields::kHostSsp),
         [](const auto& c) {
           return c.host64() || !loads_host_cet(c) || (c.read(fields::kHostSsp) >> 32) == 0;
         }),
    rule(RuleId::kHost64Pae, "host CR4.PAE must be 1 if \"host address-space size\" is 1",
         looks_at(kExit, fields::kHostCr4),
         [](const auto& c) {
           return !c.host64() || (c.read(fields::kHostCr4) & arch::cr4::kPae) != 0;
         }),
    rule(RuleId::kHost64Rip, "host RIP must be canonical if \"host address-space size\" is 1",
         looks_at(kExit, fields::kHostRip),
         [](const auto& c) { return !c.host64() || c.canonical(c.read(fields::kHostRip)); }),
    rule(RuleId::kHost64SCet,
         "host IA32_S_CET must be canonical if \"host address-space size\" is 1",
         looks_at(kExit, fields::kHostSCet),
         [](const auto& c) {
           return !c.host64() || !loads_host_cet(c) || c.canonical(c.read(fields::kHostSCet));
         }),
    rule(RuleId::kHost64Ssp, "host SSP must be canonical if \"host address-space size\" is 1",
         looks_at(kExit, fields::kHostSsp), [](const auto& c) {
           return !c.host64() || !loads_host_cet(c) || c.canonical(c.read(fields::kHostSsp));
         }));

}  // namespace archelon::vmx::checks
