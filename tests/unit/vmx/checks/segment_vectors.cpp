#include "hv/base/assert.hpp"
#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace ar = arch::ar;
namespace f = vmx::fields;
using arch::Segment;
using enum RuleId;

namespace {

// A check that exists for several segments, in any order.
struct PerSegment {
  Segment segment;
  RuleId id;
};

Vector spoil_rights(RuleId id, Base base, Segment segment, std::uint32_t rights,
                    const Change& prepare = kNothing) {
  return spoil_field(id, base, guest_segment_fields(segment).access_rights, rights, prepare);
}

// CS, SS, DS, ES, FS, GS in the order of the checks.
constexpr Segment kOrder[] = {Segment::kCs, Segment::kSs, Segment::kDs,
                              Segment::kEs, Segment::kFs, Segment::kGs};

RuleId nth(RuleId first, std::size_t n) {
  return static_cast<RuleId>(static_cast<std::size_t>(first) + n);
}

void unusable_but(EntryCase& c, Segment segment, std::uint32_t rights) {
  c.set(guest_segment_fields(segment).access_rights, rights | ar::kUnusable);
}

void add_selectors(std::vector<Vector>& v) {
  v.push_back(spoil_field(kGuestTrTi, Base::kLong, f::kGuestTrSelector, 0x1c));
  v.push_back(spoil_field(kGuestLdtrTi, Base::kLong, f::kGuestLdtrSelector, 0x24));
  v.push_back({kGuestLdtrTi, Base::kLong,
               [](EntryCase& c) {
                 c.set(f::kGuestLdtrSelector, 0x24);
                 c.set(f::kGuestLdtrAccessRights, ar::kUnusable);
               },
               [](EntryCase& c) { c.set(f::kGuestLdtrAccessRights, 0x82); }});
  v.push_back(spoil_field(kGuestSsRpl, Base::kLong, f::kGuestCsSelector, 0x0b));
  v.push_back(spoil_field(kGuestSsRpl, Base::kProtected, f::kGuestCsSelector, 0x09));
}

void add_bases(std::vector<Vector>& v) {
  constexpr PerSegment kV86[] = {{Segment::kEs, kGuestEsBaseV86}, {Segment::kCs, kGuestCsBaseV86},
                                 {Segment::kSs, kGuestSsBaseV86}, {Segment::kDs, kGuestDsBaseV86},
                                 {Segment::kFs, kGuestFsBaseV86}, {Segment::kGs, kGuestGsBaseV86}};
  for (const auto& [segment, id] : kV86) {
    const SegmentFields parts = guest_segment_fields(segment);
    v.push_back(spoil_field(id, Base::kVirtual8086, parts.base, 0x12371));
    v.push_back(spoil_field(id, Base::kVirtual8086, parts.base, kNonCanonical));
    v.push_back(spoil_field(id, Base::kVirtual8086, parts.selector, 0x1236));
  }
  v.push_back(spoil_field(kGuestTrBase, Base::kLong, f::kGuestTrBase, kNonCanonical));
  v.push_back(spoil_field(kGuestTrBase, Base::kVirtual8086, f::kGuestTrBase, kNonCanonical));
  for (const Base base : {Base::kLong, Base::kProtected, Base::kReal}) {
    v.push_back(spoil_field(kGuestFsBase, base, f::kGuestFsBase, kNonCanonical));
    // Also where the segment is unusable.
    v.push_back(spoil_field(kGuestGsBase, base, f::kGuestGsBase, kNonCanonical,
                            [](EntryCase& c) { unusable_but(c, Segment::kGs, 0); }));
  }
  v.push_back(spoil_field(kGuestLdtrBase, Base::kLong, f::kGuestLdtrBase, kNonCanonical));
  v.push_back({kGuestLdtrBase, Base::kLong,
               [](EntryCase& c) {
                 c.set(f::kGuestLdtrBase, kNonCanonical);
                 c.set(f::kGuestLdtrAccessRights, ar::kUnusable);
               },
               [](EntryCase& c) { c.set(f::kGuestLdtrAccessRights, 0x82); }});
  constexpr PerSegment kLow[] = {{Segment::kCs, kGuestCsBase},
                                 {Segment::kSs, kGuestSsBase},
                                 {Segment::kDs, kGuestDsBase},
                                 {Segment::kEs, kGuestEsBase}};
  for (const auto& [segment, id] : kLow) {
    v.push_back(spoil_field(id, Base::kLong, guest_segment_fields(segment).base, bit(32)));
    if (segment == Segment::kCs) {
      v.push_back(spoil_field(id, Base::kLong, f::kGuestCsBase, bit(32), [](EntryCase& c) {
        unusable_but(c, Segment::kCs, 0xa09b);  // CS counts as usable
      }));
    } else {
      v.push_back({id, Base::kLong,
                   [segment](EntryCase& c) {
                     unusable_but(c, segment, 0xc093);
                     c.set(guest_segment_fields(segment).base, bit(32));
                   },
                   [segment](EntryCase& c) {
                     c.set(guest_segment_fields(segment).access_rights, 0xc093);
                   }});
    }
  }
}

void add_v86(std::vector<Vector>& v) {
  constexpr Segment kV86Order[] = {Segment::kEs, Segment::kCs, Segment::kSs,
                                   Segment::kDs, Segment::kFs, Segment::kGs};
  for (std::size_t i = 0; i < std::size(kV86Order); ++i) {
    const SegmentFields parts = guest_segment_fields(kV86Order[i]);
    for (const std::uint64_t limit : {0xfffeu, 0x1ffffu}) {
      v.push_back(spoil_field(nth(kGuestEsLimitV86, i), Base::kVirtual8086, parts.limit, limit));
    }
    // DPL 0, not accessed, unusable, reserved bit.
    for (const std::uint64_t rights : {0x93u, 0xf2u, 0x100f3u, 0x1f3u}) {
      v.push_back(
          spoil_field(nth(kGuestEsRightsV86, i), Base::kVirtual8086, parts.access_rights, rights));
    }
  }
}

void add_types(std::vector<Vector>& v) {
  v.push_back(spoil_rights(kGuestCsType, Base::kLong, Segment::kCs, 0xa093));
  v.push_back(spoil_rights(kGuestCsType, Base::kLong, Segment::kCs, 0xa09a));
  v.push_back(spoil_rights(kGuestCsType, Base::kReal, Segment::kCs, 0x91));
  v.push_back(spoil_rights(kGuestSsType, Base::kLong, Segment::kSs, 0xc091));
  v.push_back(spoil_rights(kGuestSsType, Base::kLong, Segment::kSs, 0xc092));
  v.push_back(spoil_rights(kGuestSsType, Base::kReal, Segment::kSs, 0x9b));
  v.push_back({kGuestSsType, Base::kLong,
               [](EntryCase& c) { unusable_but(c, Segment::kSs, 0xc090); },
               [](EntryCase& c) { c.set(f::kGuestSsAccessRights, 0xc090); }});
  for (std::size_t i = 0; i < 4; ++i) {
    const Segment segment = kOrder[i + 2];
    v.push_back(spoil_rights(nth(kGuestDsAccessed, i), Base::kLong, segment, 0xc092));
    v.push_back(spoil_rights(nth(kGuestDsAccessed, i), Base::kReal, segment, 0x92));
    v.push_back(spoil_rights(nth(kGuestDsAccessed, i), Base::kLong, segment, 0xc092,
                             [segment](EntryCase& c) { unusable_but(c, segment, 0xc092); }));
    v.push_back(spoil_rights(
        nth(kGuestDsReadable, i), Base::kLong, segment, 0xc099,
        [segment](EntryCase& c) { c.set(guest_segment_fields(segment).access_rights, 0xc09b); }));
  }
}

void add_dpl(std::vector<Vector>& v) {
  const Change unrestricted = [](EntryCase& c) {
    c.enable_ept();
    c.secondary(secondary::kUnrestrictedGuest);
  };
  // Big real mode left by a jump: data segment in CS.
  v.push_back(spoil_rights(kGuestCsDplData, Base::kReal, Segment::kCs, 0xf3));
  v.push_back(spoil_rights(kGuestCsDplNonConforming, Base::kLong, Segment::kCs, 0xa0fb));
  v.push_back(spoil_rights(kGuestCsDplNonConforming, Base::kProtected, Segment::kCs, 0xc0b9));
  v.push_back(spoil_rights(kGuestCsDplConforming, Base::kLong, Segment::kCs, 0xa0ff,
                           [](EntryCase& c) { c.set(f::kGuestCsAccessRights, 0xa09f); }));
  // A conforming segment may have the lower DPL.
  v.push_back(
      spoil_rights(kGuestCsDplConforming, Base::kProtected, Segment::kCs, 0xc0dd, [](EntryCase& c) {
        c.set(f::kGuestSsAccessRights, 0xc0b3);
        c.set(f::kGuestSsSelector, 0x11);
        c.set(f::kGuestCsSelector, 0x9);
        c.set(f::kGuestCsAccessRights, 0xc09d);
      }));
  // SS's DPL counts though it is unusable.
  v.push_back(spoil_rights(kGuestSsDplRpl, Base::kLong, Segment::kSs, 0x10060, [](EntryCase& c) {
    c.set(f::kGuestCsAccessRights, 0xa09f);
    c.set(f::kGuestSsAccessRights, 0x10000);
  }));
  v.push_back({kGuestSsDplRpl, Base::kLong, kNothing, [](EntryCase& c) {
                 c.set(f::kGuestSsSelector, 0x13);
                 c.set(f::kGuestCsSelector, 0xb);
               }});
  v.push_back(spoil_rights(kGuestSsDplZero, Base::kReal, Segment::kSs, 0xf3));
  v.push_back(spoil_rights(kGuestSsDplZero, Base::kProtected, Segment::kSs, 0xc0f3,
                           [unrestricted](EntryCase& c) {
                             unrestricted(c);
                             c.set(f::kGuestCsAccessRights, 0xc093);
                           }));
  for (std::size_t i = 0; i < 4; ++i) {
    const SegmentFields parts = guest_segment_fields(kOrder[i + 2]);
    v.push_back(spoil_field(nth(kGuestDsDpl, i), Base::kLong, parts.selector, 0x13));
    v.push_back(spoil_field(nth(kGuestDsDpl, i), Base::kLong, parts.access_rights, 0xc09b,
                            [parts](EntryCase& c) {  // a conforming segment may
                              c.set(parts.access_rights, 0xc09f);
                              c.set(parts.selector, 0x13);
                            }));
  }
  // An unrestricted guest may, until it is one no longer.
  v.push_back(
      {kGuestDsDpl, Base::kLong,
       [unrestricted](EntryCase& c) {
         unrestricted(c);
         c.set(f::kGuestDsSelector, 0x13);
       },
       [](EntryCase& c) { c.drop(f::kSecondaryProcControls, secondary::kUnrestrictedGuest); }});
}

void add_rights(std::vector<Vector>& v) {
  for (std::size_t i = 0; i < std::size(kOrder); ++i) {
    const Segment segment = kOrder[i];
    const SegmentFields parts = guest_segment_fields(segment);
    const auto usable_rights =
        static_cast<std::uint32_t>(make_case(Base::kLong).get(parts.access_rights));
    v.push_back(
        spoil_rights(nth(kGuestCsSystem, i), Base::kLong, segment, usable_rights & ~ar::kS));
    v.push_back(
        spoil_rights(nth(kGuestCsPresent, i), Base::kLong, segment, usable_rights & ~ar::kPresent));
    v.push_back(spoil_rights(nth(kGuestCsPresent, i), Base::kReal, segment, 0x13));
    for (const std::uint32_t reserved : {0x100u, 0x800u, 0x20000u, 0x80000000u}) {
      v.push_back(
          spoil_rights(nth(kGuestCsReserved, i), Base::kLong, segment, usable_rights | reserved));
    }
    v.push_back(spoil_field(nth(kGuestCsBytes, i), Base::kLong, parts.limit, 0xfffff7ff));
    v.push_back(spoil_field(nth(kGuestCsPages, i), Base::kReal, parts.limit, 0x10ffff));
    v.push_back(spoil_field(nth(kGuestCsPages, i), Base::kReal, parts.limit, 0x80000fff));
    if (segment != Segment::kCs) {
      v.push_back({nth(kGuestCsSystem, i), Base::kLong,
                   [segment](EntryCase& c) { unusable_but(c, segment, 0xc083); },
                   [parts](EntryCase& c) { c.set(parts.access_rights, 0xc083); }});
      v.push_back({nth(kGuestCsPages, i), Base::kReal,
                   [segment, parts](EntryCase& c) {
                     unusable_but(c, segment, 0x93);
                     c.set(parts.limit, ~0u);
                   },
                   [parts](EntryCase& c) { c.set(parts.access_rights, 0x93); }});
    }
  }
  v.push_back(spoil_rights(kGuestCsDefaultBig, Base::kLong, Segment::kCs, 0xe09b));
  v.push_back({kGuestCsDefaultBig, Base::kCompatible, kNothing,
               [](EntryCase& c) { c.add(f::kGuestCsAccessRights, ar::kLong); }});
}

void add_system_segments(std::vector<Vector>& v) {
  for (const Base base : {Base::kProtected, Base::kReal, Base::kVirtual8086}) {
    v.push_back(spoil_rights(kGuestTrType, base, Segment::kTr, 0x89,
                             [](EntryCase& c) { c.set(f::kGuestTrAccessRights, 0x83); }));
  }
  v.push_back(spoil_rights(kGuestTrTypeIa32e, Base::kLong, Segment::kTr, 0x83));
  v.push_back(spoil_rights(kGuestTrTypeIa32e, Base::kLong, Segment::kTr, 0x89));
  v.push_back(spoil_rights(kGuestTrSystem, Base::kLong, Segment::kTr, 0x9b));
  v.push_back(spoil_rights(kGuestTrPresent, Base::kLong, Segment::kTr, 0x0b));
  v.push_back(spoil_rights(kGuestTrReserved, Base::kLong, Segment::kTr, 0x18b));
  v.push_back(spoil_rights(kGuestTrReserved, Base::kLong, Segment::kTr, 0x2008b));
  v.push_back(spoil_rights(kGuestTrBytes, Base::kLong, Segment::kTr, 0x808b));
  v.push_back(spoil_field(kGuestTrPages, Base::kLong, f::kGuestTrLimit, 0x100067));
  v.push_back(spoil_rights(kGuestTrUnusable, Base::kLong, Segment::kTr, 0x1008b));

  const Change unusable = [](EntryCase& c) {  // nothing of it counts then
    c.segment(Segment::kLdtr,
              {.selector = 0, .access_rights = 0x1ff7f, .limit = 0x100000, .base = 0});
  };
  const Change ldtr = [](EntryCase& c) { c.set(f::kGuestLdtrLimit, 0xffff); };
  const auto add = [&](RuleId id, std::uint32_t rights) {
    v.push_back({id, Base::kLong, unusable, [ldtr, rights](EntryCase& c) {
                   ldtr(c);
                   c.set(f::kGuestLdtrAccessRights, rights);
                 }});
  };
  add(kGuestLdtrType, 0x83);
  add(kGuestLdtrSystem, 0x92);
  add(kGuestLdtrPresent, 0x02);
  add(kGuestLdtrReserved, 0x182);
  add(kGuestLdtrReserved, 0x2000082);
  v.push_back({kGuestLdtrBytes, Base::kLong, unusable, [](EntryCase& c) {
                 c.set(f::kGuestLdtrLimit, 0x100);
                 c.set(f::kGuestLdtrAccessRights, 0x8082);
               }});
  v.push_back({kGuestLdtrPages, Base::kLong, unusable,
               [](EntryCase& c) { c.set(f::kGuestLdtrAccessRights, 0x82); }});
}

void add_fred(std::vector<Vector>& v) {
  const auto privilege = [](unsigned level) {
    return [level](EntryCase& c) {
      for (const Segment segment : {Segment::kCs, Segment::kSs}) {
        const SegmentFields parts = guest_segment_fields(segment);
        c.drop(parts.access_rights, ar::kDpl);
        c.add(parts.access_rights, level << 5);
        c.drop(parts.selector, 3);
        c.add(parts.selector, level);
      }
    };
  };
  v.push_back({kGuestFredSsDpl, Base::kFred, privilege(3), privilege(1)});
  v.push_back(spoil_rights(kGuestFredCsLong, Base::kFred, Segment::kCs, 0xc09b));
  v.push_back(spoil_field(kGuestFredIopl, Base::kFred, f::kGuestRflags, 0x1002, privilege(3)));
}

}  // namespace

std::vector<Vector> segment_vectors() {
  std::vector<Vector> vectors;
  add_selectors(vectors);
  add_bases(vectors);
  add_v86(vectors);
  add_types(vectors);
  add_dpl(vectors);
  add_rights(vectors);
  add_system_segments(vectors);
  add_fred(vectors);
  return vectors;
}

}  // namespace archelon::test
