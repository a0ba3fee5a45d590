#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace f = vmx::fields;
using enum RuleId;

namespace {

Change with_exit(std::uint32_t bits) {
  return [bits](EntryCase& c) { c.add(f::kExitControls, bits); };
}
const Change kWithCet = with_exit(exit_controls::kLoadCetState);
const Change kWithFred = [](EntryCase& c) { c.secondary_exit(checks::secondary_exit::kLoadFred); };

void add_registers(std::vector<Vector>& v) {
  v.push_back(spoil_field(kHostCr0, Base::kLong, f::kHostCr0, 0x80050013));
  v.push_back(spoil_field(kHostCr0, Base::kLong, f::kHostCr0, 0x00050033));
  v.push_back(spoil_field(kHostCr0, Base::kLong, f::kHostCr0, 0x180050033));
  v.push_back(spoil_field(kHostCr4, Base::kLong, f::kHostCr4, arch::cr4::kPae));
  v.push_back(spoil_field(kHostCr4, Base::kLong, f::kHostCr4,
                          arch::cr4::kPae | arch::cr4::kVmxe | bit(33)));
  v.push_back(spoil_field(kHostCetNeedsWp, Base::kLong, f::kHostCr0, 0x80040033,
                          [](EntryCase& c) { c.add(f::kHostCr4, arch::cr4::kCet); }));
  v.push_back(spoil_field(kHostCr3, Base::kLong, f::kHostCr3, kBeyond));
  v.push_back(spoil_field(kHostCr3, Base::kLong, f::kHostCr3, arch::cr3::kLamU48));
  v.push_back(spoil_field(kHostSysenterEsp, Base::kLong, f::kHostSysenterEsp, kNonCanonical));
  v.push_back(spoil_field(kHostSysenterEip, Base::kLong, f::kHostSysenterEip, kNonCanonical));
  v.push_back(spoil_field(kHostPerfGlobalCtrl, Base::kLong, f::kHostPerfGlobalCtrl, bit(63),
                          with_exit(exit_controls::kLoadPerfGlobalCtrl)));
  v.push_back(spoil_field(kHostPat, Base::kLong, f::kHostPat, 0x0007040600070402,
                          with_exit(exit_controls::kLoadPat)));
  const Change efer = [](EntryCase& c) {
    c.add(f::kExitControls, exit_controls::kLoadEfer);
    c.set(f::kHostEfer, 0xd01);
  };
  v.push_back(spoil_field(kHostEferReserved, Base::kLong, f::kHostEfer, 0x502, efer));
  v.push_back(spoil_field(kHostEferMode, Base::kLong, f::kHostEfer, 0x100, efer));
  v.push_back(spoil_field(kHostEferMode, Base::kLong, f::kHostEfer, 0x400, efer));
  v.push_back(spoil_field(kHostEferMode, Base::kLegacyHost, f::kHostEfer, 0x500,
                          with_exit(exit_controls::kLoadEfer)));
  v.push_back(spoil_field(kHostSCetReserved, Base::kLong, f::kHostSCet, bit(6), kWithCet));
  v.push_back(spoil_field(kHostSCetSuppress, Base::kLong, f::kHostSCet, 0xc00, kWithCet));
  v.push_back(spoil_field(kHostInterruptSspTable, Base::kLong, f::kHostInterruptSspTable,
                          kNonCanonical, kWithCet));
  v.push_back(spoil_field(kHostSspAligned, Base::kLong, f::kHostSsp, 0x2, kWithCet));
  v.push_back(spoil_field(kHostPkrs, Base::kLong, f::kHostPkrs, bit(32),
                          with_exit(exit_controls::kLoadPkrs)));
  v.push_back(spoil_field(kHostFredConfig, Base::kLong, f::kHostFredConfig, 0x800, kWithFred));
  v.push_back(
      spoil_field(kHostFredConfig, Base::kLong, f::kHostFredConfig, kNonCanonical, kWithFred));
  for (std::uint32_t i = 0; i < 3; ++i) {
    v.push_back(spoil_field(kHostFredRsp, Base::kLong, f::kHostFredRsp1.at(i), 0x20, kWithFred));
    v.push_back(spoil_field(kHostFredSsp, Base::kLong, f::kHostFredSsp1.at(i), 0x4, kWithFred));
  }
  v.push_back(spoil_field(kHostFredRsp, Base::kLong, f::kHostFredRsp1, kNonCanonical, kWithFred));
  v.push_back(spoil_field(kHostSpecCtrl, Base::kLong, f::kHostSpecCtrl, bit(40), [](EntryCase& c) {
    c.secondary_exit(checks::secondary_exit::kLoadSpecCtrl);
  }));
}

void add_segments(std::vector<Vector>& v) {
  const auto selector = [&v](RuleId id, Field16 field) {
    v.push_back(spoil_field(id, Base::kLong, field, 0x13));
    v.push_back(spoil_field(id, Base::kLong, field, 0x14));
  };
  selector(kHostEsSelector, f::kHostEsSelector);
  selector(kHostCsSelector, f::kHostCsSelector);
  selector(kHostSsSelector, f::kHostSsSelector);
  selector(kHostDsSelector, f::kHostDsSelector);
  selector(kHostFsSelector, f::kHostFsSelector);
  selector(kHostGsSelector, f::kHostGsSelector);
  selector(kHostTrSelector, f::kHostTrSelector);
  v.push_back(spoil_field(kHostCsNull, Base::kLong, f::kHostCsSelector, 0));
  v.push_back(spoil_field(kHostTrNull, Base::kLong, f::kHostTrSelector, 0));
  v.push_back(spoil_field(kHostSsNull, Base::kLegacyHost, f::kHostSsSelector, 0));
  v.push_back(spoil_field(kHostFsBase, Base::kLong, f::kHostFsBase, kNonCanonical));
  v.push_back(spoil_field(kHostGsBase, Base::kLong, f::kHostGsBase, kNonCanonical));
  v.push_back(spoil_field(kHostGdtrBase, Base::kLong, f::kHostGdtrBase, bit(47)));
  v.push_back(spoil_field(kHostIdtrBase, Base::kLong, f::kHostIdtrBase, bit(48)));
  v.push_back(spoil_field(kHostTrBase, Base::kLong, f::kHostTrBase, kNonCanonical));
  // With 57 bits of linear address much more is canonical.
  v.push_back(spoil_field(kHostTrBase, Base::kLong, f::kHostTrBase, bit(56), [](EntryCase& c) {
    c.env.linear_bits = 57;
    c.set(f::kHostTrBase, bit(55));
  }));
}

void add_address_space(std::vector<Vector>& v) {
  v.push_back(
      {kLegacyModeHost, Base::kProtected, kNothing, [](EntryCase& c) { c.env.long_mode = false; }});
  v.push_back({kLegacyModeGuest,
               Base::kLong,
               [](EntryCase& c) { c.env.long_mode = std::nullopt; },
               [](EntryCase& c) {
                 c.env.long_mode = false;
                 c.drop(f::kExitControls, exit_controls::kHostAddressSpaceSize);
                 c.set(f::kHostRip, 0x1000);
               },
               {kHost32Guest}});
  v.push_back(
      {kLongModeHost, Base::kLegacyHost, kNothing, [](EntryCase& c) { c.env.long_mode = true; }});
  v.push_back(
      {kHost32Guest, Base::kLong,
       [](EntryCase& c) {
         c.env.long_mode = std::nullopt;
         c.set(f::kHostRip, 0x1000);
       },
       [](EntryCase& c) { c.drop(f::kExitControls, exit_controls::kHostAddressSpaceSize); }});
  v.push_back(spoil_field(kHost32Pcide, Base::kLegacyHost, f::kHostCr4,
                          arch::cr4::kVmxe | arch::cr4::kPcide));
  v.push_back(spoil_field(kHost32Rip, Base::kLegacyHost, f::kHostRip, bit(32)));
  v.push_back(spoil_field(kHost32SCet, Base::kLegacyHost, f::kHostSCet, bit(32), kWithCet));
  v.push_back(spoil_field(kHost32Ssp, Base::kLegacyHost, f::kHostSsp, bit(32), kWithCet));
  v.push_back(spoil_field(kHost64Pae, Base::kLong, f::kHostCr4, arch::cr4::kVmxe));
  v.push_back(spoil_field(kHost64Rip, Base::kLong, f::kHostRip, kNonCanonical));
  v.push_back(spoil_field(kHost64SCet, Base::kLong, f::kHostSCet, kNonCanonical, kWithCet));
  v.push_back(spoil_field(kHost64Ssp, Base::kLong, f::kHostSsp, kNonCanonical, kWithCet));
}

}  // namespace

std::vector<Vector> host_vectors() {
  std::vector<Vector> vectors;
  add_registers(vectors);
  add_segments(vectors);
  add_address_space(vectors);
  return vectors;
}

}  // namespace archelon::test
