#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace f = vmx::fields;
using enum RuleId;

namespace {

Change with_entry(std::uint32_t bits) {
  return [bits](EntryCase& c) { c.add(f::kEntryControls, bits); };
}
const Change kWithCet = with_entry(entry_controls::kLoadCetState);

void add_control_registers(std::vector<Vector>& v) {
  v.push_back(spoil_field(kGuestCr0, Base::kLong, f::kGuestCr0, 0x80050013));
  v.push_back(spoil_field(kGuestCr0, Base::kLong, f::kGuestCr0, 0x180050033));
  v.push_back(spoil_field(kGuestCr0, Base::kProtected, f::kGuestCr0, 0x33));
  v.push_back(spoil_field(kGuestCr0, Base::kReal, f::kGuestCr0, 0x10));
  v.push_back(
      {kGuestCr0,
       Base::kReal,
       [](EntryCase& c) { c.set(f::kGuestCr0, 0x60000030); },  // NW and CD do not count
       [](EntryCase& c) { c.drop(f::kSecondaryProcControls, secondary::kUnrestrictedGuest); },
       // Real mode is nothing without an unrestricted guest.
       {kGuestCsType, kGuestSsDplRpl, kGuestDsDpl, kGuestEsDpl, kGuestFsDpl, kGuestGsDpl}});
  v.push_back(spoil_field(kGuestPagingNeedsProtection, Base::kReal, f::kGuestCr0, 0x80000030));
  v.push_back(spoil_field(kGuestCr4, Base::kLong, f::kGuestCr4, arch::cr4::kPae));
  v.push_back(spoil_field(kGuestCr4, Base::kLong, f::kGuestCr4,
                          arch::cr4::kPae | arch::cr4::kVmxe | bit(33)));
  v.push_back(spoil_field(kGuestCetNeedsWp, Base::kLong, f::kGuestCr0, 0x80040033,
                          [](EntryCase& c) { c.add(f::kGuestCr4, arch::cr4::kCet); }));
  for (const std::uint64_t bits : {bit(3), bit(5), bit(16), bit(63)}) {
    v.push_back(spoil_field(kGuestDebugCtl, Base::kLong, f::kGuestDebugCtl, bits,
                            with_entry(entry_controls::kLoadDebugControls)));
  }
  v.push_back(
      spoil_field(kGuestIa32eNeedsPaging, Base::kLong, f::kGuestCr0, 0x50033, [](EntryCase& c) {
        c.enable_ept();
        c.secondary(secondary::kUnrestrictedGuest);
      }));
  v.push_back(spoil_field(kGuestIa32eNeedsPae, Base::kLong, f::kGuestCr4, arch::cr4::kVmxe));
  v.push_back(spoil_field(kGuestPcideNeedsIa32e, Base::kProtected, f::kGuestCr4,
                          arch::cr4::kVmxe | arch::cr4::kPcide));
  // 32-bit code at privilege level 3 is all that FRED allows outside 64-bit mode.
  v.push_back({kGuestFredNeedsIa32e, Base::kProtected,
               [](EntryCase& c) {
                 for (const arch::Segment segment : {arch::Segment::kSs, arch::Segment::kCs}) {
                   const auto parts = guest_segment_fields(segment);
                   c.add(parts.access_rights, arch::ar::kDpl);
                   c.add(parts.selector, 3);
                 }
               },
               [](EntryCase& c) { c.add(f::kGuestCr4, checks::kCr4Fred); }});
  v.push_back(spoil_field(kGuestCr3, Base::kLong, f::kGuestCr3, kBeyond));
  v.push_back(spoil_field(kGuestCr3, Base::kLong, f::kGuestCr3, bit(63), [](EntryCase& c) {
    c.env.lam = true;
    c.set(f::kGuestCr3, 0x2000 | arch::cr3::kLamU48);
  }));
  v.push_back(spoil_field(kGuestDr7, Base::kLong, f::kGuestDr7, bit(32) | 0x400,
                          with_entry(entry_controls::kLoadDebugControls)));
}

void add_efer(std::vector<Vector>& v) {
  const Change with_efer = [](EntryCase& c) {
    c.add(f::kEntryControls, entry_controls::kLoadEfer);
    c.set(f::kGuestEfer, 0xd01);
  };
  v.push_back(spoil_field(kGuestEferReserved, Base::kLong, f::kGuestEfer, 0x502, with_efer));
  v.push_back(spoil_field(kGuestEferLma, Base::kLong, f::kGuestEfer, 0, with_efer));
  v.push_back(spoil_field(kGuestEferLma, Base::kProtected, f::kGuestEfer, 0x500,
                          with_entry(entry_controls::kLoadEfer)));
  v.push_back(spoil_field(kGuestEferLme, Base::kLong, f::kGuestEfer, 0x400, with_efer));
  v.push_back({kGuestEferLme, Base::kReal,
               [](EntryCase& c) {  // LME waits for paging
                 c.add(f::kEntryControls, entry_controls::kLoadEfer);
                 c.set(f::kGuestEfer, 0x100);
               },
               [](EntryCase& c) { c.set(f::kGuestCr0, 0x80000031); }});
}

void add_msrs(std::vector<Vector>& v) {
  v.push_back(spoil_field(kGuestSysenterEsp, Base::kLong, f::kGuestSysenterEsp, kNonCanonical));
  v.push_back(spoil_field(kGuestSysenterEip, Base::kLong, f::kGuestSysenterEip, kNonCanonical));
  v.push_back(spoil_field(kGuestPerfGlobalCtrl, Base::kLong, f::kGuestPerfGlobalCtrl, bit(63),
                          with_entry(entry_controls::kLoadPerfGlobalCtrl)));
  v.push_back(spoil_field(kGuestPat, Base::kLong, f::kGuestPat, 0x0307040600070406,
                          with_entry(entry_controls::kLoadPat)));
  v.push_back(spoil_field(kGuestBndCfgsReserved, Base::kLong, f::kGuestBndCfgs, bit(11),
                          with_entry(entry_controls::kLoadBndCfgs)));
  v.push_back(spoil_field(kGuestBndCfgsBase, Base::kLong, f::kGuestBndCfgs, kNonCanonical | 3,
                          with_entry(entry_controls::kLoadBndCfgs)));
  v.push_back(spoil_field(kGuestRtitCtl, Base::kLong, f::kGuestRtitCtl, bit(63),
                          with_entry(entry_controls::kLoadRtitCtl)));
  v.push_back(spoil_field(kGuestSCetReserved, Base::kLong, f::kGuestSCet, bit(9), kWithCet));
  v.push_back(spoil_field(kGuestSCetSuppress, Base::kLong, f::kGuestSCet, 0xc00, kWithCet));
  v.push_back(spoil_field(kGuestSCetBase, Base::kLong, f::kGuestSCet, kNonCanonical, kWithCet));
  v.push_back(spoil_field(kGuestSCetBase, Base::kProtected, f::kGuestSCet, bit(32), kWithCet));
  v.push_back(spoil_field(kGuestInterruptSspTable, Base::kLong, f::kGuestInterruptSspTable,
                          kNonCanonical, kWithCet));
  v.push_back(spoil_field(kGuestLbrCtl, Base::kLong, f::kGuestLbrCtl, bit(40),
                          with_entry(entry_controls::kLoadLbrCtl)));
  v.push_back(spoil_field(kGuestPkrs, Base::kLong, f::kGuestPkrs, bit(32),
                          with_entry(entry_controls::kLoadPkrs)));
  v.push_back(spoil_field(kGuestUinv, Base::kLong, f::kGuestUinv, 0x100,
                          with_entry(entry_controls::kLoadUinv)));
  v.push_back(spoil_field(kGuestFredConfig, Base::kFred, f::kGuestFredConfig, 0x10));
  v.push_back(spoil_field(kGuestFredConfig, Base::kFred, f::kGuestFredConfig, kNonCanonical));
  for (std::uint32_t i = 0; i < 3; ++i) {
    v.push_back(spoil_field(kGuestFredRsp, Base::kFred, f::kGuestFredRsp1.at(i), 0x20));
    v.push_back(spoil_field(kGuestFredSsp, Base::kFred, f::kGuestFredSsp1.at(i), kNonCanonical));
  }
  v.push_back(spoil_field(kGuestSpecCtrl, Base::kLong, f::kGuestSpecCtrl, bit(40),
                          with_entry(entry_controls::kLoadSpecCtrl)));
}

}  // namespace

std::vector<Vector> guest_register_vectors() {
  std::vector<Vector> vectors;
  add_control_registers(vectors);
  add_efer(vectors);
  add_msrs(vectors);
  return vectors;
}

}  // namespace archelon::test
