#include "tests/unit/vmx/checks/entry_case.hpp"

#include "vmx/checks/check_entry.hpp"
#include "vmx/vmcs_view.hpp"

namespace archelon::test {

using namespace vmx;
using arch::Segment;
namespace f = vmx::fields;
namespace msr = arch::msr;

namespace {

constexpr std::uint64_t kPinMust = 0x16;
constexpr std::uint64_t kPrimaryMust = 0x04006172;
constexpr std::uint64_t kExitMust = 0x36dfb;
constexpr std::uint64_t kEntryMust = 0x11fb;
constexpr std::uint64_t kCr0 = 0x80050033;
constexpr std::uint64_t kEptPointer = 0x5000 | 3 << 3 | 6;

std::uint64_t everything(ControlWord word) {
  std::uint64_t mask = 0;
  for (const ControlBit& control : control_bits(word)) {
    mask |= control.mask;
  }
  return mask;
}

void host_state(EntryCase& c) {
  c.set(f::kHostCr0, kCr0);
  c.set(f::kHostCr3, 0x1000);
  c.set(f::kHostCr4, arch::cr4::kPae | arch::cr4::kVmxe);
  c.set(f::kHostCsSelector, 0x8);
  c.set(f::kHostSsSelector, 0x10);
  c.set(f::kHostDsSelector, 0x10);
  c.set(f::kHostTrSelector, 0x18);
  c.set(f::kHostRip, 0xffffffff80000000);
  c.set(f::kHostRsp, 0xffffffff80008000);
  c.set(f::kHostFsBase, 0x7000);
  c.set(f::kHostGsBase, 0xffff800000000000);
  c.set(f::kHostGdtrBase, 0xffffffff80001000);
  c.set(f::kHostIdtrBase, 0xffffffff80002000);
  c.set(f::kHostTrBase, 0xffffffff80003000);
}

void controls(EntryCase& c) {
  c.set(f::kPinControls, kPinMust);
  c.set(f::kPrimaryProcControls, kPrimaryMust);
  c.set(f::kExitControls, kExitMust | exit_controls::kHostAddressSpaceSize);
  c.set(f::kEntryControls, kEntryMust);
}

// A flat protected-mode guest with 32-bit paging.
void guest_state(EntryCase& c) {
  c.set(f::kGuestCr0, kCr0);
  c.set(f::kGuestCr3, 0x2000);
  c.set(f::kGuestCr4, arch::cr4::kVmxe);
  c.set(f::kGuestDr7, 0x400);
  c.set(f::kGuestRflags, 0x2);
  c.set(f::kGuestRip, 0x100000);
  c.set(f::kGuestRsp, 0x90000);
  c.set(f::kVmcsLinkPointer, ~std::uint64_t{0});
  for (const Segment data :
       {Segment::kEs, Segment::kSs, Segment::kDs, Segment::kFs, Segment::kGs}) {
    c.segment(data, {.selector = 0x10, .access_rights = 0xc093, .limit = ~0u, .base = 0});
  }
  c.segment(Segment::kCs, {.selector = 0x8, .access_rights = 0xc09b, .limit = ~0u, .base = 0});
  c.segment(Segment::kTr, {.selector = 0x18, .access_rights = 0x8b, .limit = 0x67, .base = 0x4000});
  c.segment(Segment::kLdtr,
            {.selector = 0x20, .access_rights = 0x82, .limit = 0xffff, .base = 0x6000});
  c.set(f::kGuestGdtrBase, 0x8000);
  c.set(f::kGuestGdtrLimit, 0xffff);
  c.set(f::kGuestIdtrBase, 0x9000);
  c.set(f::kGuestIdtrLimit, 0xfff);
}

void make_long(EntryCase& c) {
  c.add(f::kEntryControls, entry_controls::kIa32eModeGuest);
  c.set(f::kGuestCr4, arch::cr4::kPae | arch::cr4::kVmxe);
}

void make_real(EntryCase& c) {
  c.secondary(secondary::kUnrestrictedGuest);
  c.enable_ept();
  c.set(f::kGuestCr0, 0x30);
  for (const Segment any :
       {Segment::kEs, Segment::kSs, Segment::kDs, Segment::kFs, Segment::kGs, Segment::kCs}) {
    c.segment(any, {.selector = 0x1003, .access_rights = 0x93, .limit = 0xffff, .base = 0x10030});
  }
  c.set(f::kGuestRip, 0x7c00);
}

void make_virtual8086(EntryCase& c) {
  c.set(f::kGuestRflags, 0x20002);
  for (const Segment any :
       {Segment::kEs, Segment::kSs, Segment::kDs, Segment::kFs, Segment::kGs, Segment::kCs}) {
    c.segment(any, {.selector = 0x1237, .access_rights = 0xf3, .limit = 0xffff, .base = 0x12370});
  }
  c.set(f::kGuestRip, 0x100);
}

void make_legacy_host(EntryCase& c) {
  c.env.long_mode = false;
  c.drop(f::kExitControls, exit_controls::kHostAddressSpaceSize);
  c.set(f::kHostCr4, arch::cr4::kVmxe);
  c.set(f::kHostRip, 0xc0000000);
}

void make_fred(EntryCase& c) {
  make_long(c);
  c.set(f::kGuestCsAccessRights, 0xa09b);
  c.add(f::kGuestCr4, checks::kCr4Fred);
  c.add(f::kEntryControls, entry_controls::kLoadFred);
}

}  // namespace

Capabilities generous_capabilities() {
  Capabilities caps;
  const auto allow = [&caps](std::uint32_t index, ControlWord word, std::uint64_t must) {
    caps[index] = must | (everything(word) | must) << 32;
  };
  caps[msr::kVmxBasic] =
      0x1234 | std::uint64_t{kPageSize} << 32 | basic::kMemoryTypeWb | basic::kTrueControls;
  allow(msr::kVmxTruePinbasedCtls, ControlWord::kPin, kPinMust);
  allow(msr::kVmxTrueProcbasedCtls, ControlWord::kPrimary, kPrimaryMust);
  allow(msr::kVmxTrueExitCtls, ControlWord::kExit, kExitMust);
  allow(msr::kVmxTrueEntryCtls, ControlWord::kEntry, kEntryMust);
  allow(msr::kVmxProcbasedCtls2, ControlWord::kSecondary, 0);
  caps[msr::kVmxProcbasedCtls3] = everything(ControlWord::kTertiary);
  caps[msr::kVmxExitCtls2] = 0xf;
  caps[msr::kVmxMisc] = misc::kActivityHlt | misc::kActivityShutdown | misc::kActivityWaitForSipi |
                        std::uint64_t{4} << 16 | misc::kInjectZeroLength;
  caps[msr::kVmxCr0Fixed0] = 0x80000021;
  caps[msr::kVmxCr0Fixed1] = 0xffffffff;
  caps[msr::kVmxCr4Fixed0] = arch::cr4::kVmxe;
  caps[msr::kVmxCr4Fixed1] = checks::kCr4Fred | 0x3ffffff;
  caps[msr::kVmxEptVpidCap] = ept_vpid::kWalk4 | ept_vpid::kWalk5 | ept_vpid::kMemoryUc |
                              ept_vpid::kMemoryWb | ept_vpid::kAccessedDirty |
                              ept_vpid::kSupervisorShadowStack;
  caps[msr::kVmxVmfunc] = 1;
  return caps;
}

void EntryCase::secondary(std::uint32_t bits) {
  add(f::kPrimaryProcControls, primary::kActivateSecondary);
  add(f::kSecondaryProcControls, bits);
}
void EntryCase::tertiary(std::uint64_t bits) {
  add(f::kPrimaryProcControls, primary::kActivateTertiary);
  add(f::kTertiaryProcControls, bits);
}
void EntryCase::secondary_exit(std::uint64_t bits) {
  add(f::kExitControls, exit_controls::kActivateSecondary);
  add(f::kSecondaryExitControls, bits);
}
void EntryCase::enable_ept() {
  secondary(secondary::kEnableEpt);
  set(f::kEptPointer, kEptPointer);
}
void EntryCase::inject(std::uint32_t word, std::uint32_t error_code, std::uint32_t length) {
  set(f::kEntryInterruptionInfo, word);
  set(f::kEntryExceptionErrorCode, error_code);
  set(f::kEntryInstructionLength, length);
}
void EntryCase::segment(Segment which, const arch::SegmentRegister& value) {
  write_guest_segment(vmcs, which, value);
}

Verdict EntryCase::check(const CheckScope& scope) {
  return check_entry(vmcs, memory, caps, env, scope);
}
Verdict EntryCase::check_groups(GroupMask changed) {
  return check_entry(vmcs, memory, caps, env, changed);
}
bool EntryCase::holds(RuleId id) {
  return rule_holds(id, vmcs, memory, caps, env);
}
std::vector<RuleId> EntryCase::failures() {
  std::vector<RuleId> failed;
  all_failures(vmcs, memory, caps, env, [&](const EntryRule& rule) { failed.push_back(rule.id); });
  return failed;
}

EntryCase make_case(Base base) {
  EntryCase c;
  c.caps = generous_capabilities();
  controls(c);
  host_state(c);
  guest_state(c);
  switch (base) {
    case Base::kLong:
      make_long(c);
      c.set(f::kGuestCsAccessRights, 0xa09b);
      c.set(f::kGuestRip, 0xffffffff81000000);
      break;
    case Base::kCompatible:
      make_long(c);
      break;
    case Base::kProtected:
      break;
    case Base::kPae:
      c.enable_ept();
      c.add(f::kGuestCr4, arch::cr4::kPae);
      for (std::uint32_t i = 0; i < 4; ++i) {
        c.set(f::kGuestPdpte0.at(i), 0x3001 + 0x1000 * i);
      }
      break;
    case Base::kPaeNoEpt:
      c.add(f::kGuestCr4, arch::cr4::kPae);
      c.memory.add(Gpa1(0x2000), kPageSize);
      c.set(f::kGuestCr3, 0x2020);
      c.memory.poke(Gpa1(0x2020), 0x3001);
      c.memory.poke(Gpa1(0x2038), 0x4019);
      break;
    case Base::kReal:
      make_real(c);
      break;
    case Base::kVirtual8086:
      make_virtual8086(c);
      break;
    case Base::kLegacyHost:
      make_legacy_host(c);
      break;
    case Base::kFred:
      make_fred(c);
      break;
  }
  return c;
}

std::vector<Vector> all_vectors() {
  std::vector<Vector> all;
  for (const auto& part : {execution_vectors(), exit_entry_vectors(), host_vectors(),
                           guest_register_vectors(), segment_vectors(), guest_state_vectors()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace archelon::test
