#include "tests/unit/vmx/checks/entry_case.hpp"

namespace archelon::test {

using namespace vmx;
namespace f = vmx::fields;
using enum RuleId;

namespace {

void add_msr_area(std::vector<Vector>& v, RuleId area, RuleId end, Field32 count, Field64 address) {
  const Change two_entries = [count, address](EntryCase& c) {
    c.set(count, 2);
    c.set(address, 0x7010);
  };
  v.push_back(spoil_field(area, Base::kLong, address, 0x7018, two_entries));
  v.push_back(spoil_field(end, Base::kLong, address, kBeyond - 16, two_entries));
  v.push_back({end, Base::kLong, two_entries, [count, address](EntryCase& c) {
                 c.set(count, 257);
                 c.set(address, kBeyond - 4096);
               }});
  Vector beyond = spoil_field(area, Base::kLong, address, kBeyond, two_entries);
  beyond.also = {end};
  v.push_back(beyond);
}

// `event` is injected into the base; `spoil` is injected instead.
Vector injected(RuleId id, std::uint32_t good, std::uint32_t bad, Base base = Base::kLong) {
  return {id, base,
          [good](EntryCase& c) {
            c.add(f::kGuestRflags, arch::rflags::kIf);
            c.inject(good, 0, 1);
          },
          [bad](EntryCase& c) { c.set(f::kEntryInterruptionInfo, bad); }};
}

constexpr std::uint32_t kInterrupt = 0x80000040;
constexpr std::uint32_t kNmi = 0x80000202;
constexpr std::uint32_t kUndefined = 0x80000306;
constexpr std::uint32_t kProtection = 0x80000b0d;
constexpr std::uint32_t kSoftware = 0x80000480;
constexpr std::uint32_t kPendingMtf = 0x80000700;

void add_events(std::vector<Vector>& v) {
  v.push_back(injected(kInjectedType, kInterrupt, 0x80000140));
  v.push_back({kInjectedType, Base::kLong,
               [](EntryCase& c) {
                 c.caps[arch::msr::kVmxTrueProcbasedCtls] &=
                     ~(std::uint64_t{primary::kMonitorTrapFlag} << 32);
                 c.caps[arch::msr::kVmxTrueEntryCtls] &=
                     ~(std::uint64_t{entry_controls::kLoadFred} << 32);
               },
               [](EntryCase& c) { c.inject(kPendingMtf); }});
  v.push_back(injected(kInjectedVector, kNmi, 0x80000203));
  v.push_back(injected(kInjectedVector, kUndefined, 0x80000320));
  v.push_back(injected(kInjectedVector, kPendingMtf, 0x80000701));
  v.push_back(injected(kInjectedVector, 0x80000702, 0x80000703, Base::kFred));
  v.push_back(injected(kInjectedErrorCodeUnwanted, kInterrupt, 0x80000840));
  v.push_back(injected(kInjectedErrorCodeUnwanted, kSoftware, 0x80000c80));
  v.push_back(injected(kInjectedErrorCodeUnwanted, 0x8000030d, kProtection, Base::kReal));
  v.push_back(injected(kInjectedErrorCodeByVector, kProtection, 0x8000030d));
  v.push_back(injected(kInjectedErrorCodeByVector, kUndefined, 0x80000b06));
  v.push_back(injected(kInjectedErrorCodeByVector, 0x80000315, 0x80000b15));  // 21 is not #CP
  v.push_back({kInjectedErrorCodeUnwanted, Base::kLong,
               [](EntryCase& c) {  // #UD with an error code is fine on a CPU that lets one choose
                 c.caps[arch::msr::kVmxBasic] |= basic::kAnyErrorCode;
                 c.inject(0x80000b06);
               },
               [](EntryCase& c) { c.inject(0x80000a02); }});
  v.push_back(injected(kInjectedReserved, kUndefined, kUndefined | 1u << 12));
  v.push_back(injected(kInjectedReserved, kUndefined | 1u << 13, kUndefined | 1u << 30));
  v.push_back(injected(kInjectedReserved, kNmi, kNmi | 1u << 13));
  v.push_back({kInjectedErrorCodeReserved, Base::kLong,
               [](EntryCase& c) { c.inject(kProtection, 0xffff); },
               [](EntryCase& c) { c.inject(kProtection, 0x10000); }});
  for (const std::uint32_t event : {kSoftware, 0x80000501u, 0x80000603u}) {
    v.push_back({kInjectedLength, Base::kLong, [event](EntryCase& c) { c.inject(event, 0, 15); },
                 [event](EntryCase& c) { c.inject(event, 0, 16); }});
    v.push_back({kInjectedLengthZero, Base::kLong,
                 [event](EntryCase& c) {
                   c.caps[arch::msr::kVmxMisc] &= ~misc::kInjectZeroLength;
                   c.inject(event, 0, 1);
                 },
                 [event](EntryCase& c) { c.inject(event, 0, 0); }});
  }
}

// Of an entry from SMM.
void in_smm(EntryCase& c) {
  c.env.in_smm = true;
}

}  // namespace

std::vector<Vector> exit_entry_vectors() {
  std::vector<Vector> v;
  v.push_back(
      {kExitControls, Base::kLong, kNothing, [](EntryCase& c) { c.drop(f::kExitControls, 1); }});
  v.push_back({kExitControls, Base::kLong,
               [](EntryCase& c) {
                 c.caps[arch::msr::kVmxTrueExitCtls] &=
                     ~(std::uint64_t{exit_controls::kClearUinv} << 32);
               },
               [](EntryCase& c) { c.add(f::kExitControls, exit_controls::kClearUinv); }});
  v.push_back({kSecondaryExitControls, Base::kLong, [](EntryCase& c) { c.secondary_exit(0); },
               [](EntryCase& c) { c.secondary_exit(bit(63)); }});
  v.push_back({kSaveTimerNeedsTimer, Base::kLong, kNothing,
               [](EntryCase& c) { c.add(f::kExitControls, exit_controls::kSavePreemptionTimer); }});
  add_msr_area(v, kExitMsrStoreArea, kExitMsrStoreAreaEnd, f::kExitMsrStoreCount,
               f::kExitMsrStoreAddress);
  add_msr_area(v, kExitMsrLoadArea, kExitMsrLoadAreaEnd, f::kExitMsrLoadCount,
               f::kExitMsrLoadAddress);
  v.push_back(
      {kEntryControls, Base::kLong, kNothing, [](EntryCase& c) { c.drop(f::kEntryControls, 1); }});
  v.push_back({kEntryControls, Base::kLong, kNothing,
               [](EntryCase& c) { c.add(f::kEntryControls, 1u << 30); }});
  add_events(v);
  add_msr_area(v, kEntryMsrLoadArea, kEntryMsrLoadAreaEnd, f::kEntryMsrLoadCount,
               f::kEntryMsrLoadAddress);
  v.push_back({kEntryToSmmOutsideSmm,
               Base::kLong,
               [](EntryCase& c) {
                 in_smm(c);
                 c.add(f::kEntryControls, entry_controls::kEntryToSmm);
                 c.set(f::kGuestInterruptibilityState, interruptibility::kBlockingBySmi);
               },
               [](EntryCase& c) { c.env.in_smm = false; },
               {kBlockingSmiOutsideSmm}});
  v.push_back({kDeactivateOutsideSmm, Base::kLong, kNothing, [](EntryCase& c) {
                 c.add(f::kEntryControls, entry_controls::kDeactivateDualMonitor);
               }});
  v.push_back(
      {kEntryToSmmAndDeactivate, Base::kLong,
       [](EntryCase& c) {
         in_smm(c);
         c.add(f::kEntryControls, entry_controls::kEntryToSmm);
         c.set(f::kGuestInterruptibilityState, interruptibility::kBlockingBySmi);
       },
       [](EntryCase& c) { c.add(f::kEntryControls, entry_controls::kDeactivateDualMonitor); }});
  return v;
}

}  // namespace archelon::test
