#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace f = vmx::fields;
using enum RuleId;

namespace {

constexpr std::uint32_t kInterrupt = 0x80000040;
constexpr std::uint32_t kNmi = 0x80000202;
constexpr std::uint32_t kMachineCheck = 0x80000312;
constexpr std::uint32_t kDebug = 0x80000301;
constexpr std::uint32_t kUndefined = 0x80000306;
constexpr std::uint32_t kPendingMtf = 0x80000700;

constexpr std::uint64_t kHlt = 1;
constexpr std::uint64_t kShutdown = 2;
constexpr std::uint64_t kWaitForSipi = 3;

const Change kInterruptsOn = [](EntryCase& c) { c.add(f::kGuestRflags, arch::rflags::kIf); };
Change injecting(std::uint32_t event) {
  return [event](EntryCase& c) {
    kInterruptsOn(c);
    c.inject(event);
  };
}

void add_tables_and_rip(std::vector<Vector>& v) {
  v.push_back(spoil_field(kGuestGdtrBase, Base::kLong, f::kGuestGdtrBase, kNonCanonical));
  v.push_back(spoil_field(kGuestIdtrBase, Base::kLong, f::kGuestIdtrBase, kNonCanonical));
  v.push_back(spoil_field(kGuestGdtrLimit, Base::kLong, f::kGuestGdtrLimit, 0x10000));
  v.push_back(spoil_field(kGuestIdtrLimit, Base::kLong, f::kGuestIdtrLimit, 0x10000));
  for (const Base base : {Base::kCompatible, Base::kProtected, Base::kReal}) {
    v.push_back(spoil_field(kGuestRip32, base, f::kGuestRip, bit(32)));
  }
  // RIP need not be canonical: bit 47 may differ from the bits above it.
  v.push_back(spoil_field(kGuestRip64, Base::kLong, f::kGuestRip, bit(48),
                          [](EntryCase& c) { c.set(f::kGuestRip, bit(47)); }));
  v.push_back(spoil_field(kGuestRip64, Base::kLong, f::kGuestRip, kNonCanonical));
  for (const unsigned reserved : {3u, 5u, 15u, 22u, 63u}) {
    v.push_back(spoil_field(kGuestRflagsReserved, Base::kLong, f::kGuestRflags, 2 | bit(reserved)));
  }
  v.push_back(spoil_field(kGuestRflagsFixed, Base::kLong, f::kGuestRflags, 0));
  v.push_back(spoil_field(kGuestRflagsVmIa32e, Base::kLong, f::kGuestRflags, 0x20002));
  v.push_back({kGuestRflagsVmReal, Base::kVirtual8086,
               [](EntryCase& c) {
                 c.enable_ept();
                 c.secondary(secondary::kUnrestrictedGuest);
               },
               [](EntryCase& c) { c.set(f::kGuestCr0, 0x30); }});
  v.push_back(spoil_field(kGuestRflagsIf, Base::kLong, f::kGuestRflags, 2, injecting(kInterrupt)));
  v.push_back(spoil_field(kGuestRflagsIf, Base::kLong, f::kEntryInterruptionInfo, kInterrupt));
  const Change with_cet = [](EntryCase& c) {
    c.add(f::kEntryControls, entry_controls::kLoadCetState);
  };
  v.push_back(spoil_field(kGuestSspAligned, Base::kLong, f::kGuestSsp, 0x1001, with_cet));
  v.push_back(spoil_field(kGuestSsp32, Base::kProtected, f::kGuestSsp, bit(32), with_cet));
  v.push_back(spoil_field(kGuestSsp32, Base::kCompatible, f::kGuestSsp, bit(32), with_cet));
  v.push_back(spoil_field(kGuestSsp64, Base::kLong, f::kGuestSsp, bit(48), with_cet));
}

void add_activity(std::vector<Vector>& v) {
  v.push_back(spoil_field(kActivityRange, Base::kLong, f::kGuestActivityState, 4));
  for (const std::uint64_t state : {kHlt, kShutdown, kWaitForSipi}) {
    v.push_back(spoil_field(kActivitySupported, Base::kLong, f::kGuestActivityState, state,
                            [state](EntryCase& c) {
                              c.caps[arch::msr::kVmxMisc] &= ~bit(5 + static_cast<unsigned>(state));
                            }));
    v.push_back(spoil_field(kActivityBlocking, Base::kLong, f::kGuestActivityState, state,
                            [](EntryCase& c) {
                              kInterruptsOn(c);
                              c.set(f::kGuestInterruptibilityState, 1);
                            }));
    v.push_back(spoil_field(kActivityBlocking, Base::kLong, f::kGuestActivityState, state,
                            [](EntryCase& c) { c.set(f::kGuestInterruptibilityState, 2); }));
  }
  v.push_back(
      spoil_field(kActivityHltCpl, Base::kLong, f::kGuestActivityState, kHlt, [](EntryCase& c) {
        c.set(f::kGuestSsAccessRights, 0xc0f3);
        c.set(f::kGuestSsSelector, 0x13);
        c.set(f::kGuestCsAccessRights, 0xa0fb);
        c.set(f::kGuestCsSelector, 0xb);
      }));
  const auto event = [&v](RuleId id, std::uint64_t state, std::uint32_t good, std::uint32_t bad) {
    v.push_back({id, Base::kLong,
                 [state, good](EntryCase& c) {
                   kInterruptsOn(c);
                   c.set(f::kGuestActivityState, state);
                   c.inject(good);
                 },
                 [bad](EntryCase& c) { c.inject(bad); }});
  };
  for (const std::uint32_t good : {kInterrupt, kNmi, kDebug, kMachineCheck, kPendingMtf}) {
    event(kActivityHltEvent, kHlt, good, kUndefined);
  }
  event(kActivityHltEvent, kHlt, kNmi, 0x80000412);  // INT 18 is no #MC
  event(kActivityShutdownEvent, kShutdown, kNmi, kInterrupt);
  event(kActivityShutdownEvent, kShutdown, kMachineCheck, kDebug);
  event(kActivitySipiEvent, kWaitForSipi, 0, kNmi);
  v.push_back({kActivitySipiSmm, Base::kLong,
               [](EntryCase& c) {
                 c.env.in_smm = true;
                 c.add(f::kEntryControls, entry_controls::kEntryToSmm);
                 c.set(f::kGuestInterruptibilityState, interruptibility::kBlockingBySmi);
               },
               [](EntryCase& c) { c.set(f::kGuestActivityState, kWaitForSipi); }});
}

void add_interruptibility(std::vector<Vector>& v) {
  const auto blocking = [&v](RuleId id, std::uint64_t bad, const Change& prepare) {
    v.push_back(spoil_field(id, Base::kLong, f::kGuestInterruptibilityState, bad, prepare));
  };
  blocking(kInterruptibilityReserved, 1u << 5, kNothing);
  blocking(kInterruptibilityReserved, 1u << 31, kNothing);
  blocking(kBlockingStiAndMovSs, 3, kInterruptsOn);
  blocking(kBlockingStiNeedsIf, 1, kNothing);
  blocking(kBlockingInterrupt, 1, injecting(kInterrupt));
  blocking(kBlockingInterrupt, 2, injecting(kInterrupt));
  blocking(kBlockingMovSsNmi, 2, injecting(kNmi));
  blocking(kBlockingSmiOutsideSmm, 4, kNothing);
  blocking(kBlockingSmiEntryToSmm, 0, [](EntryCase& c) {
    c.env.in_smm = true;
    c.add(f::kEntryControls, entry_controls::kEntryToSmm);
    c.set(f::kGuestInterruptibilityState, interruptibility::kBlockingBySmi);
  });
  blocking(kBlockingStiNmi, 1, injecting(kNmi));
  v.push_back({kBlockingNmi, Base::kLong,
               [](EntryCase& c) {
                 c.add(f::kPinControls, pin::kNmiExiting);
                 c.inject(kNmi);
                 c.set(f::kGuestInterruptibilityState, interruptibility::kBlockingByNmi);
               },
               [](EntryCase& c) { c.add(f::kPinControls, pin::kVirtualNmis); }});
  v.push_back({kBlockingStiFred, Base::kFred,
               [](EntryCase& c) {
                 kInterruptsOn(c);
                 c.set(f::kGuestSsAccessRights, 0xc0f3);
                 c.set(f::kGuestSsSelector, 0x13);
                 c.set(f::kGuestCsAccessRights, 0xa0fb);
                 c.set(f::kGuestCsSelector, 0xb);
               },
               [](EntryCase& c) { c.set(f::kGuestInterruptibilityState, 1); }});
  blocking(kEnclaveMovSs, 0x12, [](EntryCase& c) { c.env.sgx = true; });
  blocking(kEnclaveNeedsSgx, 0x10, kNothing);
}

void add_pending_debug(std::vector<Vector>& v) {
  const auto pending = [&v](RuleId id, std::uint64_t bad, const Change& prepare) {
    v.push_back(spoil_field(id, Base::kLong, f::kGuestPendingDebugExceptions, bad, prepare));
  };
  for (const unsigned reserved : {4u, 10u, 11u, 13u, 15u, 17u, 32u}) {
    pending(kPendingDebugReserved, bit(reserved), kNothing);
  }
  const auto stepping = [](std::uint64_t blocked, std::uint64_t activity) {
    return [blocked, activity](EntryCase& c) {
      kInterruptsOn(c);
      c.add(f::kGuestRflags, arch::rflags::kTf);
      c.set(f::kGuestInterruptibilityState, blocked);
      c.set(f::kGuestActivityState, activity);
      c.set(f::kGuestPendingDebugExceptions, pending_debug::kBs);
    };
  };
  for (const Change& prepare :
       {Change(stepping(1, 0)), Change(stepping(2, 0)), Change(stepping(0, kHlt))}) {
    pending(kPendingDebugStepMissing, 0, prepare);
    v.push_back({kPendingDebugStepUnwanted, Base::kLong, prepare,
                 [](EntryCase& c) { c.drop(f::kGuestRflags, arch::rflags::kTf); }});
    v.push_back({kPendingDebugStepUnwanted, Base::kLong, prepare,
                 [](EntryCase& c) { c.set(f::kGuestDebugCtl, arch::msr::kDebugCtlBtf); }});
  }
  const Change with_rtm = [](EntryCase& c) {
    c.env.tsx = true;
    c.set(f::kGuestPendingDebugExceptions, bit(16) | bit(12));
  };
  pending(kPendingDebugRtmShape, bit(16), with_rtm);
  pending(kPendingDebugRtmShape, bit(16) | bit(12) | bit(0), with_rtm);
  pending(kPendingDebugRtmNeedsTsx, bit(16) | bit(12), kNothing);
  v.push_back(
      spoil_field(kPendingDebugRtmMovSs, Base::kLong, f::kGuestInterruptibilityState, 2, with_rtm));
}

// A VMCS region for the link pointer.
void with_link(EntryCase& c) {
  c.memory.add(Gpa1(0xc000), 2 * kPageSize);
  c.memory.poke(Gpa1(0xc000), 0x1234);
  c.memory.poke(Gpa1(0xd000), 0x80001234);
  c.set(f::kVmcsLinkPointer, 0xc000);
  c.env.current_vmcs = 0xf000;
}

void add_link_pointer(std::vector<Vector>& v) {
  for (const std::uint64_t address : {std::uint64_t{0xc008}, kBeyond}) {
    Vector vector =
        spoil_field(kLinkPointerAddress, Base::kLong, f::kVmcsLinkPointer, address, with_link);
    // What is there is no VMCS.
    vector.also = address == kBeyond ? std::vector<RuleId>{kLinkPointerRevision, kLinkPointerShadow}
                                     : std::vector<RuleId>{kLinkPointerRevision};
    v.push_back(vector);
  }
  v.push_back({kLinkPointerRevision, Base::kLong, with_link,
               [](EntryCase& c) { c.memory.poke(Gpa1(0xc000), 0x1235); }});
  v.push_back(spoil_field(kLinkPointerShadow, Base::kLong, f::kVmcsLinkPointer, 0xd000, with_link));
  v.push_back({kLinkPointerShadow, Base::kLong, with_link,
               [](EntryCase& c) { c.secondary(secondary::kVmcsShadowing); }});
  v.push_back({kLinkPointerShadow, Base::kLong,
               [](EntryCase& c) {
                 with_link(c);
                 c.secondary(secondary::kVmcsShadowing);
                 c.set(f::kVmcsLinkPointer, 0xd000);
               },
               [](EntryCase& c) { c.memory.poke(Gpa1(0xd000), 0x1234); }});
  v.push_back({kLinkPointerCurrent, Base::kLong, with_link,
               [](EntryCase& c) { c.env.current_vmcs = 0xc000; }});
  v.push_back({kLinkPointerExecutive, Base::kLong,
               [](EntryCase& c) {
                 with_link(c);
                 c.env.in_smm = true;
                 c.env.current_vmcs = 0xc000;
               },
               [](EntryCase& c) { c.env.executive_vmcs = 0xc000; }});
}

void add_pdptes(std::vector<Vector>& v) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    const auto id = static_cast<RuleId>(static_cast<std::uint32_t>(kGuestPdpte0) + i);
    for (const std::uint64_t reserved : {bit(1), bit(5), bit(8), kBeyond, bit(63)}) {
      v.push_back(
          spoil_field(id, Base::kPae, f::kGuestPdpte0.at(i), 0x3001 | reserved,
                      [i](EntryCase& c) { c.set(f::kGuestPdpte0.at(i), kBeyond | 0x1e0); }));
    }
  }
  v.push_back({kGuestPdpte0, Base::kProtected,
               [](EntryCase& c) {
                 c.enable_ept();
                 c.set(f::kGuestPdpte0, 3);
               },
               [](EntryCase& c) { c.add(f::kGuestCr4, arch::cr4::kPae); }});
  for (std::uint64_t i = 0; i < 4; ++i) {
    v.push_back({kPdptesInMemory, Base::kPaeNoEpt, kNothing,
                 [i](EntryCase& c) { c.memory.poke(Gpa1(0x2020 + 8 * i), 3); }});
  }
  v.push_back(spoil_field(kPdptesInMemory, Base::kPaeNoEpt, f::kGuestCr3, 0x100000));  // no RAM
}

}  // namespace

std::vector<Vector> guest_state_vectors() {
  std::vector<Vector> vectors;
  add_tables_and_rip(vectors);
  add_activity(vectors);
  add_interruptibility(vectors);
  add_pending_debug(vectors);
  add_link_pointer(vectors);
  add_pdptes(vectors);
  return vectors;
}

}  // namespace archelon::test
