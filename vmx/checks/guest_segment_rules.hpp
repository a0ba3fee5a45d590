#pragma once

#include "vmx/checks/guest_segment_families.hpp"

namespace archelon::vmx::checks {

inline constexpr auto kCs = kParts<Segment::kCs>;
inline constexpr auto kSs = kParts<Segment::kSs>;
inline constexpr auto kTr = kParts<Segment::kTr>;
inline constexpr auto kLdtr = kParts<Segment::kLdtr>;

inline constexpr std::uint32_t kSelectorTi = 4;
inline constexpr std::uint32_t kTypeDataRw = 3;  // accessed, expand-up

// SDM vol. 3C, "Checks on Guest Segment Registers".
inline constexpr auto kSegmentAddressRules = rules(
    CheckSection::kGuestSegments,
    rule(RuleId::kGuestTrTi, "TI of guest TR must be 0", looks_at(kTr.selector),
         [](const auto& c) { return (c.read(kTr.selector) & kSelectorTi) == 0; }),
    rule(RuleId::kGuestLdtrTi, "TI of guest LDTR must be 0 if LDTR is usable",
         looks_at(kLdtr.selector, kLdtr.access_rights),
         [](const auto& c) {
           return (c.read(kLdtr.selector) & kSelectorTi) == 0 || !c.usable(Segment::kLdtr);
         }),
    rule(RuleId::kGuestSsRpl,
         "RPL of guest SS must be RPL of guest CS outside virtual-8086 mode if the guest is not "
         "unrestricted",
         looks_at(kV86, kSecondary, kSs.selector, kCs.selector),
         [](const auto& c) {
           return ((c.read(kSs.selector) ^ c.read(kCs.selector)) & 3) == 0 || c.v86() ||
                  c.unrestricted();
         }),
    v86_base<Segment::kEs>(RuleId::kGuestEsBaseV86),
    v86_base<Segment::kCs>(RuleId::kGuestCsBaseV86),
    v86_base<Segment::kSs>(RuleId::kGuestSsBaseV86),
    v86_base<Segment::kDs>(RuleId::kGuestDsBaseV86),
    v86_base<Segment::kFs>(RuleId::kGuestFsBaseV86),
    v86_base<Segment::kGs>(RuleId::kGuestGsBaseV86),
    rule(RuleId::kGuestTrBase, "guest TR base must be canonical", looks_at(kTr.base),
         [](const auto& c) { return c.canonical(c.read(kTr.base)); }),
    canonical_base<Segment::kFs>(RuleId::kGuestFsBase),
    canonical_base<Segment::kGs>(RuleId::kGuestGsBase),
    rule(
        RuleId::kGuestLdtrBase, "guest LDTR base must be canonical if LDTR is usable",
        looks_at(kLdtr.base, kLdtr.access_rights),
        [](const auto& c) { return c.canonical(c.read(kLdtr.base)) || !c.usable(Segment::kLdtr); }),
    base32<Segment::kCs>(RuleId::kGuestCsBase), base32<Segment::kSs>(RuleId::kGuestSsBase),
    base32<Segment::kDs>(RuleId::kGuestDsBase), base32<Segment::kEs>(RuleId::kGuestEsBase),
    v86_limit<Segment::kEs>(RuleId::kGuestEsLimitV86),
    v86_limit<Segment::kCs>(RuleId::kGuestCsLimitV86),
    v86_limit<Segment::kSs>(RuleId::kGuestSsLimitV86),
    v86_limit<Segment::kDs>(RuleId::kGuestDsLimitV86),
    v86_limit<Segment::kFs>(RuleId::kGuestFsLimitV86),
    v86_limit<Segment::kGs>(RuleId::kGuestGsLimitV86));

inline constexpr auto kSegmentTypeRules = rules(
    CheckSection::kGuestSegments, v86_rights<Segment::kEs>(RuleId::kGuestEsRightsV86),
    v86_rights<Segment::kCs>(RuleId::kGuestCsRightsV86),
    v86_rights<Segment::kSs>(RuleId::kGuestSsRightsV86),
    v86_rights<Segment::kDs>(RuleId::kGuestDsRightsV86),
    v86_rights<Segment::kFs>(RuleId::kGuestFsRightsV86),
    v86_rights<Segment::kGs>(RuleId::kGuestGsRightsV86),
    rule(RuleId::kGuestCsType,
         "guest CS must be an accessed code segment (type 9, 11, 13, 15; or 3 for an unrestricted "
         "guest)",
         looks_at(kLookedAt<Segment::kCs>, kSecondary),
         [](const auto& c) {
           constexpr std::uint32_t kAccessedCode = ar::kCode | ar::kAccessed;
           const std::uint32_t type = c.rights(Segment::kCs) & ar::kType;
           return (type & kAccessedCode) == kAccessedCode || c.v86() ||
                  (type == kTypeDataRw && c.unrestricted());
         }),
    rights_rule<Segment::kSs>(
        RuleId::kGuestSsType,
        "guest SS must be an accessed read/write data segment (type 3 or 7) if usable",
        [](std::uint32_t rights) { return ((rights & ar::kType) | ar::kExpandDown) == 7; }),
    accessed<Segment::kDs>(RuleId::kGuestDsAccessed),
    accessed<Segment::kEs>(RuleId::kGuestEsAccessed),
    accessed<Segment::kFs>(RuleId::kGuestFsAccessed),
    accessed<Segment::kGs>(RuleId::kGuestGsAccessed),
    readable<Segment::kDs>(RuleId::kGuestDsReadable),
    readable<Segment::kEs>(RuleId::kGuestEsReadable),
    readable<Segment::kFs>(RuleId::kGuestFsReadable),
    readable<Segment::kGs>(RuleId::kGuestGsReadable),
    code_or_data<Segment::kCs>(RuleId::kGuestCsSystem),
    code_or_data<Segment::kSs>(RuleId::kGuestSsSystem),
    code_or_data<Segment::kDs>(RuleId::kGuestDsSystem),
    code_or_data<Segment::kEs>(RuleId::kGuestEsSystem),
    code_or_data<Segment::kFs>(RuleId::kGuestFsSystem),
    code_or_data<Segment::kGs>(RuleId::kGuestGsSystem));

inline constexpr FieldSet kCsAndSs = looks_at(kV86, kCs.access_rights, kSs.access_rights);

inline constexpr auto kSegmentDplRules = rules(
    CheckSection::kGuestSegments,
    rule(RuleId::kGuestCsDplData, "DPL of guest CS must be 0 if CS has type 3",
         looks_at(kLookedAt<Segment::kCs>),
         [](const auto& c) {
           const std::uint32_t cs = c.rights(Segment::kCs);
           return (cs & ar::kType) != kTypeDataRw || ar::dpl(cs) == 0 || c.v86();
         }),
    rule(RuleId::kGuestCsDplNonConforming,
         "DPL of guest CS must be DPL of guest SS if CS is non-conforming", kCsAndSs,
         [](const auto& c) {
           const std::uint32_t cs = c.rights(Segment::kCs);
           return (cs & (ar::kCode | ar::kConforming)) != ar::kCode ||
                  ar::dpl(cs) == ar::dpl(c.rights(Segment::kSs)) || c.v86();
         }),
    rule(RuleId::kGuestCsDplConforming,
         "DPL of guest CS must not be above DPL of guest SS if CS is conforming", kCsAndSs,
         [](const auto& c) {
           constexpr std::uint32_t kConformingCode = ar::kCode | ar::kConforming;
           const std::uint32_t cs = c.rights(Segment::kCs);
           return (cs & kConformingCode) != kConformingCode ||
                  ar::dpl(cs) <= ar::dpl(c.rights(Segment::kSs)) || c.v86();
         }),
    rule(RuleId::kGuestSsDplRpl, "DPL of guest SS must be its RPL if the guest is not unrestricted",
         looks_at(kV86, kSecondary, kSs.selector, kSs.access_rights),
         [](const auto& c) {
           return c.v86() || c.unrestricted() ||
                  ar::dpl(c.rights(Segment::kSs)) == (c.read(kSs.selector) & 3u);
         }),
    rule(RuleId::kGuestSsDplZero,
         "DPL of guest SS must be 0 if guest CS has type 3 or guest CR0.PE is 0",
         looks_at(kCsAndSs, fields::kGuestCr0),
         [](const auto& c) {
           return ar::dpl(c.rights(Segment::kSs)) == 0 || c.v86() ||
                  ((c.rights(Segment::kCs) & ar::kType) != kTypeDataRw &&
                   (c.read(fields::kGuestCr0) & arch::cr0::kPe) != 0);
         }),
    data_dpl<Segment::kDs>(RuleId::kGuestDsDpl), data_dpl<Segment::kEs>(RuleId::kGuestEsDpl),
    data_dpl<Segment::kFs>(RuleId::kGuestFsDpl), data_dpl<Segment::kGs>(RuleId::kGuestGsDpl));

inline constexpr auto kSegmentRightsRules = rules(
    CheckSection::kGuestSegments, present<Segment::kCs>(RuleId::kGuestCsPresent),
    present<Segment::kSs>(RuleId::kGuestSsPresent), present<Segment::kDs>(RuleId::kGuestDsPresent),
    present<Segment::kEs>(RuleId::kGuestEsPresent), present<Segment::kFs>(RuleId::kGuestFsPresent),
    present<Segment::kGs>(RuleId::kGuestGsPresent),
    reserved_clear<Segment::kCs>(RuleId::kGuestCsReserved),
    reserved_clear<Segment::kSs>(RuleId::kGuestSsReserved),
    reserved_clear<Segment::kDs>(RuleId::kGuestDsReserved),
    reserved_clear<Segment::kEs>(RuleId::kGuestEsReserved),
    reserved_clear<Segment::kFs>(RuleId::kGuestFsReserved),
    reserved_clear<Segment::kGs>(RuleId::kGuestGsReserved),
    rule(RuleId::kGuestCsDefaultBig, "D of guest CS must be 0 if CS.L is 1 in IA-32e mode",
         looks_at(kEntry, kCs.access_rights),
         [](const auto& c) {
           return !c.guest64() || (c.rights(Segment::kCs) & ar::kDefaultBig) == 0;
         }),
    byte_limit<Segment::kCs>(RuleId::kGuestCsBytes),
    byte_limit<Segment::kSs>(RuleId::kGuestSsBytes),
    byte_limit<Segment::kDs>(RuleId::kGuestDsBytes),
    byte_limit<Segment::kEs>(RuleId::kGuestEsBytes),
    byte_limit<Segment::kFs>(RuleId::kGuestFsBytes),
    byte_limit<Segment::kGs>(RuleId::kGuestGsBytes),
    page_limit<Segment::kCs>(RuleId::kGuestCsPages),
    page_limit<Segment::kSs>(RuleId::kGuestSsPages),
    page_limit<Segment::kDs>(RuleId::kGuestDsPages),
    page_limit<Segment::kEs>(RuleId::kGuestEsPages),
    page_limit<Segment::kFs>(RuleId::kGuestFsPages),
    page_limit<Segment::kGs>(RuleId::kGuestGsPages));

// A check of TR's or, where it is usable, LDTR's access rights alone.
template <Segment kSegment, Text kTail, class Predicate>
[[nodiscard]] constexpr auto system_rule(RuleId id, Predicate ok) {
  return rule(id, segment_text<kSegment, kTail>(), looks_at(kParts<kSegment>.access_rights),
              [ok](const auto& c) {
                return ok(c.rights(kSegment)) ||
                       (kSegment == Segment::kLdtr && !c.usable(kSegment));
              });
}
template <Segment kSegment, Text kTail, class Predicate>
[[nodiscard]] constexpr auto system_limit_rule(RuleId id, Predicate ok) {
  return rule(
      id, segment_text<kSegment, kTail>(),
      looks_at(kParts<kSegment>.access_rights, kParts<kSegment>.limit), [ok](const auto& c) {
        return ok(c, kParts<kSegment>) || (kSegment == Segment::kLdtr && !c.usable(kSegment));
      });
}

inline constexpr auto kSystemSegmentRules = rules(
    CheckSection::kGuestSegments,
    rule(RuleId::kGuestTrType,
         "guest TR must be a busy TSS (type 3 or 11) if \"IA-32e mode guest\" is 0",
         looks_at(kEntry, kTr.access_rights),
         [](const auto& c) {
           const std::uint32_t type = c.rights(Segment::kTr) & ar::kType;
           return c.ia32e_guest() || type == ar::kTypeBusyTss16 || type == ar::kTypeBusyTss;
         }),
    rule(RuleId::kGuestTrTypeIa32e,
         "guest TR must be a busy 64-bit TSS (type 11) if \"IA-32e mode guest\" is 1",
         looks_at(kEntry, kTr.access_rights),
         [](const auto& c) {
           return !c.ia32e_guest() || (c.rights(Segment::kTr) & ar::kType) == ar::kTypeBusyTss;
         }),
    system_rule<Segment::kTr, " must be a system segment (S = 0)">(
        RuleId::kGuestTrSystem, [](std::uint32_t rights) { return (rights & ar::kS) == 0; }),
    system_rule<Segment::kTr, " must be present">(
        RuleId::kGuestTrPresent, [](std::uint32_t rights) { return (rights & ar::kPresent) != 0; }),
    system_rule<Segment::kTr, " access rights must have bits 11:8 and 31:17 clear">(
        RuleId::kGuestTrReserved,
        [](std::uint32_t rights) { return (rights & ar::kReserved) == 0; }),
    system_limit_rule<Segment::kTr, " must have G = 0 if any of bits 11:0 of its limit is 0">(
        RuleId::kGuestTrBytes,
        [](const auto& c, const SegmentFields& parts) { return limit_in_bytes(c, parts); }),
    system_limit_rule<Segment::kTr, " must have G = 1 if any of bits 31:20 of its limit is 1">(
        RuleId::kGuestTrPages,
        [](const auto& c, const SegmentFields& parts) { return limit_in_pages(c, parts); }),
    system_rule<Segment::kTr, " must be usable">(
        RuleId::kGuestTrUnusable,
        [](std::uint32_t rights) { return (rights & ar::kUnusable) == 0; }),
    system_rule<Segment::kLdtr, " must be an LDT (type 2) if usable">(
        RuleId::kGuestLdtrType,
        [](std::uint32_t rights) { return (rights & ar::kType) == ar::kTypeLdt; }),
    system_rule<Segment::kLdtr, " must be a system segment (S = 0) if usable">(
        RuleId::kGuestLdtrSystem, [](std::uint32_t rights) { return (rights & ar::kS) == 0; }),
    system_rule<Segment::kLdtr, " must be present if usable">(
        RuleId::kGuestLdtrPresent,
        [](std::uint32_t rights) { return (rights & ar::kPresent) != 0; }),
    system_rule<Segment::kLdtr,
                " access rights must have bits 11:8 and 31:17 clear if it is usable">(
        RuleId::kGuestLdtrReserved,
        [](std::uint32_t rights) { return (rights & ar::kReserved) == 0; }),
    system_limit_rule<Segment::kLdtr,
                      " must have G = 0 if it is usable and any of bits 11:0 of its limit is 0">(
        RuleId::kGuestLdtrBytes,
        [](const auto& c, const SegmentFields& parts) { return limit_in_bytes(c, parts); }),
    system_limit_rule<Segment::kLdtr,
                      " must have G = 1 if it is usable and any of bits 31:20 of its limit is 1">(
        RuleId::kGuestLdtrPages,
        [](const auto& c, const SegmentFields& parts) { return limit_in_pages(c, parts); }));

inline constexpr auto kFredSegmentRules = rules(
    CheckSection::kGuestSegments,
    rule(RuleId::kGuestFredSsDpl, "DPL of guest SS must be 0 or 3 if guest CR4.FRED is 1",
         looks_at(fields::kGuestCr4, kSs.access_rights),
         [](const auto& c) {
           if ((c.read(fields::kGuestCr4) & kCr4Fred) == 0) {
             return true;
           }
           const unsigned dpl = ar::dpl(c.rights(Segment::kSs));
           return dpl == 0 || dpl == 3;
         }),
    rule(RuleId::kGuestFredCsLong,
         "L of guest CS must be 1 if guest CR4.FRED is 1 and DPL of guest SS is 0",
         looks_at(fields::kGuestCr4, kSs.access_rights, kCs.access_rights),
         [](const auto& c) {
           return (c.read(fields::kGuestCr4) & kCr4Fred) == 0 ||
                  ar::dpl(c.rights(Segment::kSs)) != 0 || (c.rights(Segment::kCs) & ar::kLong) != 0;
         }),
    rule(RuleId::kGuestFredIopl,
         "guest RFLAGS.IOPL must be 0 if guest CR4.FRED is 1 and DPL of guest SS is 3",
         looks_at(fields::kGuestCr4, kSs.access_rights, fields::kGuestRflags), [](const auto& c) {
           return (c.read(fields::kGuestCr4) & kCr4Fred) == 0 ||
                  ar::dpl(c.rights(Segment::kSs)) != 3 ||
                  (c.read(fields::kGuestRflags) & arch::rflags::kIopl) == 0;
         }));

}  // namespace archelon::vmx::checks
