#pragma once

#include "vmx/checks/check_context.hpp"
#include "vmx/checks/segment_text.hpp"

// Checks that several of the guest's segment registers share, one template each.
// SDM vol. 3C, "Checks on Guest Segment Registers".
namespace archelon::vmx::checks {

namespace ar = arch::ar;
using arch::Segment;

template <Segment kSegment>
inline constexpr SegmentFields kParts = guest_segment_fields(kSegment);

// The fields behind CheckContext::looked_at.
template <Segment kSegment>
inline constexpr FieldSet kLookedAt = looks_at(kV86, kParts<kSegment>.access_rights);

// A check that is made where CheckContext::looked_at; the name says when.
template <Segment kSegment, Text kTail, Text kTailIfUsable>
[[nodiscard]] constexpr std::string_view usable_text() {
  if constexpr (kSegment == Segment::kCs) {
    return segment_text<kSegment, kTail>();
  } else {
    return segment_text<kSegment, kTailIfUsable>();
  }
}

// A check of the access rights alone, made where they are looked at at all.
template <Segment kSegment, class Predicate>
[[nodiscard]] constexpr auto rights_rule(RuleId id, std::string_view name, Predicate ok) {
  return rule(id, name, kLookedAt<kSegment>,
              [ok](const auto& c) { return !c.looked_at(kSegment) || ok(c.rights(kSegment)); });
}

template <Segment kSegment>
[[nodiscard]] constexpr auto v86_base(RuleId id) {
  return rule(id,
              segment_text<kSegment, " base must be its selector times 16 in virtual-8086 mode">(),
              looks_at(kV86, kParts<kSegment>.selector, kParts<kSegment>.base), [](const auto& c) {
                return !c.v86() || c.read(kParts<kSegment>.base) ==
                                       std::uint64_t{c.read(kParts<kSegment>.selector)} << 4;
              });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto v86_limit(RuleId id) {
  return rule(id, segment_text<kSegment, " limit must be 0xffff in virtual-8086 mode">(),
              looks_at(kV86, kParts<kSegment>.limit),
              [](const auto& c) { return !c.v86() || c.read(kParts<kSegment>.limit) == 0xffff; });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto v86_rights(RuleId id) {
  return rule(id, segment_text<kSegment, " access rights must be 0xf3 in virtual-8086 mode">(),
              kLookedAt<kSegment>,
              [](const auto& c) { return !c.v86() || c.rights(kSegment) == ar::kVirtual8086; });
}

// FS and GS, usable or not. In virtual-8086 mode the other check on the base says more.
template <Segment kSegment>
[[nodiscard]] constexpr auto canonical_base(RuleId id) {
  return rule(id, segment_text<kSegment, " base must be canonical">(),
              looks_at(kV86, kParts<kSegment>.base),
              [](const auto& c) { return c.canonical(c.read(kParts<kSegment>.base)) || c.v86(); });
}
// CS always, SS, DS, ES where usable.
template <Segment kSegment>
[[nodiscard]] constexpr auto base32(RuleId id) {
  return rule(id,
              usable_text<kSegment, " base must have bits 63:32 clear",
                          " base must have bits 63:32 clear if it is usable">(),
              looks_at(kLookedAt<kSegment>, kParts<kSegment>.base), [](const auto& c) {
                return (c.read(kParts<kSegment>.base) >> 32) == 0 || !c.looked_at(kSegment);
              });
}

template <Segment kSegment>
[[nodiscard]] constexpr auto accessed(RuleId id) {
  return rights_rule<kSegment>(id,
                               segment_text<kSegment, " must be an accessed segment if usable">(),
                               [](std::uint32_t rights) { return (rights & ar::kAccessed) != 0; });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto readable(RuleId id) {
  return rights_rule<kSegment>(
      id, segment_text<kSegment, " must be readable if it is a usable code segment">(),
      [](std::uint32_t rights) {
        return (rights & ar::kCode) == 0 || (rights & ar::kReadable) != 0;
      });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto code_or_data(RuleId id) {
  return rights_rule<kSegment>(id,
                               usable_text<kSegment, " must be a code or data segment (S = 1)",
                                           " must be a code or data segment (S = 1) if usable">(),
                               [](std::uint32_t rights) { return (rights & ar::kS) != 0; });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto present(RuleId id) {
  return rights_rule<kSegment>(
      id, usable_text<kSegment, " must be present", " must be present if usable">(),
      [](std::uint32_t rights) { return (rights & ar::kPresent) != 0; });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto reserved_clear(RuleId id) {
  return rights_rule<kSegment>(
      id,
      usable_text<kSegment, " access rights must have bits 11:8 and 31:17 clear",
                  " access rights must have bits 11:8 and 31:17 clear if it is usable">(),
      [](std::uint32_t rights) { return (rights & ar::kReserved) == 0; });
}

template <Segment kSegment>
[[nodiscard]] constexpr auto data_dpl(RuleId id) {
  return rule(id,
              segment_text<kSegment,
                           " must not have a DPL below its RPL if it is usable, no conforming code "
                           "and the guest not unrestricted">(),
              looks_at(kLookedAt<kSegment>, kSecondary, kParts<kSegment>.selector),
              [](const auto& c) {
                constexpr std::uint32_t kLastNonConforming = 11;
                if (!c.looked_at(kSegment) || c.unrestricted()) {
                  return true;
                }
                const std::uint32_t rights = c.rights(kSegment);
                return (rights & ar::kType) > kLastNonConforming ||
                       ar::dpl(rights) >= (c.read(kParts<kSegment>.selector) & 3u);
              });
}

// The limit is what a descriptor can express, in bytes or in pages.
template <class Context>
[[nodiscard]] bool limit_in_bytes(const Context& c, const SegmentFields& parts) {
  return (c.read(parts.access_rights) & ar::kGranularity) == 0 ||
         (c.read(parts.limit) & 0xfff) == 0xfff;
}
template <class Context>
[[nodiscard]] bool limit_in_pages(const Context& c, const SegmentFields& parts) {
  return (c.read(parts.access_rights) & ar::kGranularity) != 0 ||
         (c.read(parts.limit) & 0xfff00000) == 0;
}
template <Segment kSegment>
[[nodiscard]] constexpr auto byte_limit(RuleId id) {
  return rule(
      id,
      usable_text<kSegment, " must have G = 0 if any of bits 11:0 of its limit is 0",
                  " must have G = 0 if it is usable and any of bits 11:0 of its limit is 0">(),
      looks_at(kLookedAt<kSegment>, kParts<kSegment>.limit),
      [](const auto& c) { return !c.looked_at(kSegment) || limit_in_bytes(c, kParts<kSegment>); });
}
template <Segment kSegment>
[[nodiscard]] constexpr auto page_limit(RuleId id) {
  return rule(
      id,
      usable_text<kSegment, " must have G = 1 if any of bits 31:20 of its limit is 1",
                  " must have G = 1 if it is usable and any of bits 31:20 of its limit is 1">(),
      looks_at(kLookedAt<kSegment>, kParts<kSegment>.limit),
      [](const auto& c) { return !c.looked_at(kSegment) || limit_in_pages(c, kParts<kSegment>); });
}

}  // namespace archelon::vmx::checks
