#include "vmx/route.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/support/fake_route.hpp"
#include "tests/support/fake_vmcs.hpp"

using namespace archelon;
using namespace archelon::vmx;
using enum BasicExitReason;

namespace {

constexpr std::uint32_t kAll = ~0u;

Exit exit_of(BasicExitReason reason, std::uint64_t qualification = 0) {
  Exit exit;
  exit.reason.word = static_cast<std::uint32_t>(reason);
  exit.qualification = qualification;
  return exit;
}

// An L2 with L1's controls.
struct L2 {
  test::FakeVmcs vmcs12;
  test::FakeRoute context;

  L2(std::uint32_t pin_word, std::uint32_t primary_word, std::uint32_t secondary_word) {
    vmcs12.write(fields::kPinControls, pin_word);
    vmcs12.write(fields::kPrimaryProcControls, primary_word);
    vmcs12.write(fields::kSecondaryProcControls, secondary_word);
  }
  bool wants(const Exit& exit) { return l1_wants(exit, vmcs12, context); }
};

struct Row {
  BasicExitReason reason;
  ControlWord word;
  std::uint32_t mask;
};
constexpr auto kPin = ControlWord::kPin;
constexpr auto kPrimary = ControlWord::kPrimary;
constexpr auto kSecondary = ControlWord::kSecondary;

// SDM vol. 3C, "Instructions That Cause VM Exits Conditionally", "Other Causes of VM Exits".
const std::vector<Row> kConditional = {
    {kExternalInterrupt, kPin, 1u << 0},
    {kPreemptionTimer, kPin, 1u << 6},
    {kInterruptWindow, kPrimary, 1u << 2},
    {kNmiWindow, kPrimary, 1u << 22},
    {kHlt, kPrimary, 1u << 7},
    {kInvlpg, kPrimary, 1u << 9},
    {kInvpcid, kPrimary, 1u << 9},
    {kMwait, kPrimary, 1u << 10},
    {kRdpmc, kPrimary, 1u << 11},
    {kRdtsc, kPrimary, 1u << 12},
    {kRdtscp, kPrimary, 1u << 12},
    {kUmwait, kPrimary, 1u << 12},
    {kTpause, kPrimary, 1u << 12},
    {kTprBelowThreshold, kPrimary, 1u << 21},
    {kMovDr, kPrimary, 1u << 23},
    {kMonitorTrapFlag, kPrimary, 1u << 27},
    {kMonitor, kPrimary, 1u << 29},
    {kPause, kPrimary, 1u << 30},
    {kPause, kSecondary, 1u << 10},
    {kApicAccess, kSecondary, 1u << 0},
    {kEptViolation, kSecondary, 1u << 1},
    {kEptMisconfiguration, kSecondary, 1u << 1},
    {kGdtrIdtrAccess, kSecondary, 1u << 2},
    {kLdtrTrAccess, kSecondary, 1u << 2},
    {kWbinvd, kSecondary, 1u << 6},
    {kApicWrite, kSecondary, 1u << 8},
    {kApicWrite, kSecondary, 1u << 9},
    {kVirtualizedEoi, kSecondary, 1u << 9},
    {kRdrand, kSecondary, 1u << 11},
    {kVmfunc, kSecondary, 1u << 13},
    {kEncls, kSecondary, 1u << 15},
    {kRdseed, kSecondary, 1u << 16},
    {kPmlFull, kSecondary, 1u << 17},
    {kXsaves, kSecondary, 1u << 20},
    {kXrstors, kSecondary, 1u << 20},
    {kEnqcmdPasid, kSecondary, 1u << 21},
    {kEnqcmdsPasid, kSecondary, 1u << 21},
    {kSppEvent, kSecondary, 1u << 23},
    {kPconfig, kSecondary, 1u << 27},
    {kEnclv, kSecondary, 1u << 28},
    {kBusLock, kSecondary, 1u << 30},
    {kInstructionTimeout, kSecondary, 1u << 31},
};

// SDM vol. 3C, "Instructions That Cause VM Exits Unconditionally", "Other Causes of VM Exits"; and
// what only happens with a dual monitor, in SEAM or at a failed entry.
const std::set<BasicExitReason> kUnconditional = {kTripleFault,
                                                  kInit,
                                                  kSipi,
                                                  kIoSmi,
                                                  kOtherSmi,
                                                  kTaskSwitch,
                                                  kCpuid,
                                                  kGetsec,
                                                  kInvd,
                                                  kRsm,
                                                  kVmcall,
                                                  kVmclear,
                                                  kVmlaunch,
                                                  kVmptrld,
                                                  kVmptrst,
                                                  kVmread,
                                                  kVmresume,
                                                  kVmwrite,
                                                  kVmxoff,
                                                  kVmxon,
                                                  kInvept,
                                                  kInvvpid,
                                                  kXsetbv,
                                                  kSeamcall,
                                                  kTdcall,
                                                  kEntryFailureGuestState,
                                                  kEntryFailureMsrLoading,
                                                  kEntryFailureMachineCheck};

// Controls of the tertiary word, which L1 is never offered.
const std::set<BasicExitReason> kNever = {kLoadiwkey, kRdmsrlist, kWrmsrlist};

// Tested one by one below.
const std::set<BasicExitReason> kByDetail = {kExceptionOrNmi, kCrAccess, kIoInstruction, kRdmsr,
                                             kWrmsr};

L2 with_only(const Row& row) {
  const auto in = [&row](ControlWord word) { return row.word == word ? row.mask : 0; };
  return {in(kPin), in(kPrimary) | (row.word == kSecondary ? primary::kActivateSecondary : 0),
          in(kSecondary)};
}

L2 without(BasicExitReason reason) {
  std::uint32_t words[] = {kAll, kAll, kAll};
  for (const Row& row : kConditional) {
    if (row.reason == reason) {
      words[static_cast<unsigned>(row.word)] &= ~row.mask;
    }
  }
  return {words[0], words[1], words[2]};
}

}  // namespace

TEST_CASE("every exit reason is L1's by one rule") {
  std::set<BasicExitReason> conditional;
  for (const Row& row : kConditional) {
    conditional.insert(row.reason);
  }
  for (std::uint32_t number = 0; number < kExitReasonCount; ++number) {
    if (exit_reason_name(number) == "UNKNOWN") {
      continue;
    }
    INFO(std::string(exit_reason_name(number)));
    const auto reason = static_cast<BasicExitReason>(number);
    CHECK(conditional.count(reason) + kUnconditional.count(reason) + kNever.count(reason) +
              kByDetail.count(reason) ==
          1);
  }
}

TEST_CASE("an exit that a control causes is L1's where L1 set that control") {
  for (const Row& row : kConditional) {
    INFO(std::string(exit_reason_name(row.reason)));
    const Exit exit = exit_of(row.reason);
    L2 only = with_only(row);
    CHECK(only.wants(exit));
    L2 all_but = without(row.reason);
    CHECK_FALSE(all_but.wants(exit));
    if (row.word == kSecondary) {
      // The secondary word does not count where it is not activated.
      L2 inactive(kAll & ~row.mask, 0, row.mask);
      CHECK_FALSE(inactive.wants(exit));
    }
  }
}

TEST_CASE("an exit that nothing can prevent is L1's") {
  for (const BasicExitReason reason : kUnconditional) {
    INFO(std::string(exit_reason_name(reason)));
    L2 none(0, 0, 0);
    CHECK(none.wants(exit_of(reason)));
  }
  L2 none(0, 0, 0);
  CHECK(none.wants(exit_of(static_cast<BasicExitReason>(200))));  // of a CPU yet to come
}

TEST_CASE("an exit of a control that L1 is not offered is not L1's") {
  for (const BasicExitReason reason : kNever) {
    L2 all(kAll, kAll, kAll);
    CHECK_FALSE(all.wants(exit_of(reason)));
  }
}

TEST_CASE("exceptions go by the exception bitmap, NMIs by NMI exiting") {
  for (std::uint32_t vector = 0; vector < 32; ++vector) {
    if (vector == 2 || vector == 14) {
      continue;
    }
    Exit exit = exit_of(kExceptionOrNmi);
    for (const EventType type : {EventType::kHardwareException, EventType::kSoftwareException,
                                 EventType::kPrivilegedSoftwareException}) {
      exit.interruption = InterruptionInfo::make(type, static_cast<std::uint8_t>(vector));
      L2 l2(0, 0, 0);
      l2.vmcs12.write(fields::kExceptionBitmap, 1u << vector);
      CHECK(l2.wants(exit));
      l2.vmcs12.write(fields::kExceptionBitmap, ~(1u << vector));
      CHECK_FALSE(l2.wants(exit));
    }
  }
  Exit nmi = exit_of(kExceptionOrNmi);
  nmi.interruption = InterruptionInfo::make(EventType::kNmi, 2);
  L2 l2(pin::kNmiExiting, 0, 0);
  CHECK(l2.wants(nmi));
  l2.vmcs12.write(fields::kPinControls, ~pin::kNmiExiting);
  l2.vmcs12.write(fields::kExceptionBitmap, kAll);
  CHECK_FALSE(l2.wants(nmi));
}

TEST_CASE("a page fault's error code decides which way the bitmap's bit counts") {
  constexpr std::uint32_t kPfBit = 1u << 14;
  const auto wants = [](std::uint32_t bitmap, std::uint32_t mask, std::uint32_t match,
                        std::uint32_t code) {
    L2 l2(0, 0, 0);
    l2.vmcs12.write(fields::kExceptionBitmap, bitmap);
    l2.vmcs12.write(fields::kPageFaultErrorCodeMask, mask);
    l2.vmcs12.write(fields::kPageFaultErrorCodeMatch, match);
    Exit exit = exit_of(kExceptionOrNmi);
    exit.interruption = InterruptionInfo::exception(arch::Vector::kPf);
    exit.interruption_error = code;
    return l2.wants(exit);
  };
  // The SDM's own cases: all page faults, none, and those with W/R set.
  CHECK(wants(kPfBit, 0, 0, 7));
  CHECK_FALSE(wants(kPfBit, 0, kAll, 7));
  CHECK(wants(0, 0, kAll, 7));
  CHECK_FALSE(wants(0, 0, 0, 7));
  CHECK(wants(kPfBit, 2, 2, 7));
  CHECK_FALSE(wants(kPfBit, 2, 2, 5));
  CHECK(wants(0, 2, 2, 5));
  CHECK_FALSE(wants(0, 2, 2, 7));
}

namespace {

std::uint64_t mov_to(std::uint8_t cr) {
  return CrAccess{.cr = cr, .kind = CrAccess::Kind::kMovToCr, .gpr = arch::Gpr::kRbx}.encode();
}
std::uint64_t mov_from(std::uint8_t cr) {
  return CrAccess{.cr = cr, .kind = CrAccess::Kind::kMovFromCr}.encode();
}
std::uint64_t lmsw(std::uint16_t source) {
  return CrAccess{.kind = CrAccess::Kind::kLmsw, .lmsw_source = source}.encode();
}

}  // namespace

TEST_CASE("MOV to CR0 and CR4 is L1's where it differs from the shadow in a masked bit") {
  for (const bool cr4 : {false, true}) {
    const Exit exit = exit_of(kCrAccess, mov_to(cr4 ? 4 : 0));
    L2 l2(0, 0, 0);
    l2.vmcs12.write(cr4 ? fields::kCr4GuestHostMask : fields::kCr0GuestHostMask, 0xf0);
    l2.vmcs12.write(cr4 ? fields::kCr4ReadShadow : fields::kCr0ReadShadow, 0xa5);
    const auto wants = [&](std::uint64_t value) {
      l2.context.gprs[arch::Gpr::kRbx] = value;
      return l2.wants(exit);
    };
    CHECK_FALSE(wants(0xa5));
    CHECK_FALSE(wants(0xaf));
    CHECK_FALSE(wants(0xffff'ff00'0000'00a0));
    CHECK(wants(0xb5));
    CHECK(wants(0x25));
    // The other register's mask does not count.
    l2.vmcs12.write(cr4 ? fields::kCr0GuestHostMask : fields::kCr4GuestHostMask, ~0ull);
    CHECK_FALSE(wants(0xa5));
  }
}

TEST_CASE("outside 64-bit mode the upper half of the operand does not count") {
  L2 l2(0, primary::kCr3LoadExiting, 0);
  l2.vmcs12.write(fields::kCr0GuestHostMask, ~0ull);
  l2.vmcs12.write(fields::kCr0ReadShadow, 0x11);
  l2.vmcs12.write(fields::kCr3TargetCount, 1);
  l2.vmcs12.write(fields::kCr3TargetValue0, 0x5000);
  for (const bool is_64bit : {true, false}) {
    l2.context.is_64bit = is_64bit;
    l2.context.gprs[arch::Gpr::kRbx] = 0xdead'beef'0000'0011;
    CHECK(l2.wants(exit_of(kCrAccess, mov_to(0))) == is_64bit);
    l2.context.gprs[arch::Gpr::kRbx] = 0xdead'beef'0000'5000;
    CHECK(l2.wants(exit_of(kCrAccess, mov_to(3))) == is_64bit);
  }
}

TEST_CASE("MOV to CR3 is L1's but for its targets") {
  const Exit exit = exit_of(kCrAccess, mov_to(3));
  L2 l2(0, primary::kCr3LoadExiting, 0);
  for (std::uint32_t i = 0; i < 4; ++i) {
    l2.vmcs12.write(fields::kCr3TargetValue0.at(i), 0x1000 * (i + 1));
  }
  for (std::uint32_t count = 0; count <= 4; ++count) {
    l2.vmcs12.write(fields::kCr3TargetCount, count);
    for (std::uint32_t i = 0; i < 4; ++i) {
      l2.context.gprs[arch::Gpr::kRbx] = 0x1000 * (i + 1);
      CHECK(l2.wants(exit) == (i >= count));
    }
    l2.context.gprs[arch::Gpr::kRbx] = 0x9000;
    CHECK(l2.wants(exit));
    L2 off(0, ~primary::kCr3LoadExiting, 0);
    CHECK_FALSE(off.wants(exit));
  }
}

TEST_CASE("MOV from CR3 and MOV of CR8 have controls of their own") {
  struct {
    std::uint64_t qualification;
    std::uint32_t control;
  } const kCases[] = {{mov_from(3), 1u << 16}, {mov_to(8), 1u << 19}, {mov_from(8), 1u << 20}};
  for (const auto& c : kCases) {
    const Exit exit = exit_of(kCrAccess, c.qualification);
    L2 with(0, c.control, 0);
    CHECK(with.wants(exit));
    L2 all_but(kAll, ~c.control, kAll);
    CHECK_FALSE(all_but.wants(exit));
  }
}

TEST_CASE("CLTS is L1's where L1 masks TS and shows it set") {
  const Exit exit = exit_of(kCrAccess, CrAccess{.kind = CrAccess::Kind::kClts}.encode());
  const auto wants = [&](std::uint64_t mask, std::uint64_t shadow) {
    L2 l2(0, 0, 0);
    l2.vmcs12.write(fields::kCr0GuestHostMask, mask);
    l2.vmcs12.write(fields::kCr0ReadShadow, shadow);
    return l2.wants(exit);
  };
  CHECK(wants(arch::cr0::kTs, arch::cr0::kTs));
  CHECK_FALSE(wants(arch::cr0::kTs, ~arch::cr0::kTs));
  CHECK_FALSE(wants(~arch::cr0::kTs, ~0ull));
}

TEST_CASE("LMSW is L1's where it changes a masked bit of the low four, but cannot clear PE") {
  for (std::uint32_t mask = 0; mask < 32; ++mask) {
    for (std::uint32_t shadow = 0; shadow < 32; ++shadow) {
      for (std::uint32_t source = 0; source < 32; ++source) {
        bool expected = (mask & 1) != 0 && (source & 1) != 0 && (shadow & 1) == 0;
        for (unsigned bit_number = 1; bit_number <= 3; ++bit_number) {
          const std::uint32_t b = 1u << bit_number;
          expected = expected || ((mask & b) != 0 && (source & b) != (shadow & b));
        }
        L2 l2(0, 0, 0);
        l2.vmcs12.write(fields::kCr0GuestHostMask, mask);
        l2.vmcs12.write(fields::kCr0ReadShadow, shadow);
        const Exit exit = exit_of(kCrAccess, lmsw(static_cast<std::uint16_t>(source)));
        REQUIRE(l2.wants(exit) == expected);
      }
    }
  }
}

TEST_CASE("I/O goes by the bitmaps where L1 uses them, else by unconditional I/O exiting") {
  const Exit exit =
      exit_of(kIoInstruction, IoAccess{.size = 4, .in = true, .port = 0x3f8}.encode());
  L2 unconditional(0, primary::kUnconditionalIoExiting, 0);
  CHECK(unconditional.wants(exit));
  L2 neither(kAll, ~(primary::kUnconditionalIoExiting | primary::kIoBitmaps), kAll);
  CHECK_FALSE(neither.wants(exit));
  for (const std::uint32_t controls : {primary::kIoBitmaps, kAll}) {
    L2 bitmaps(0, controls, 0);
    CHECK_FALSE(bitmaps.wants(exit));
    bitmaps.context.io = [](std::uint16_t port, unsigned size) {
      return port == 0x3f8 && size == 4;
    };
    CHECK(bitmaps.wants(exit));
  }
}

TEST_CASE("MSR accesses go by the bitmap where L1 uses one, else they are L1's") {
  for (const BasicExitReason reason : {kRdmsr, kWrmsr}) {
    const Exit exit = exit_of(reason);
    L2 none(0, ~primary::kMsrBitmaps, 0);
    CHECK(none.wants(exit));
    L2 bitmap(0, primary::kMsrBitmaps, 0);
    bitmap.context.gprs[arch::Gpr::kRcx] = 0xffff'ffff'c000'0080;
    CHECK_FALSE(bitmap.wants(exit));
    bitmap.context.msr = [&](std::uint32_t index, bool write) {
      return index == 0xc000'0080 && write == (reason == kWrmsr);
    };
    CHECK(bitmap.wants(exit));
  }
}
