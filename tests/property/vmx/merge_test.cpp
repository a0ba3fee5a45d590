#include "vmx/merge.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "hv/arch/exception.hpp"
#include "tests/support/fake_memory.hpp"
#include "tests/support/fake_vmcs.hpp"
#include "tests/support/l0_policy.hpp"
#include "tests/support/machine_capabilities.hpp"
#include "vmx/checks/check_entry.hpp"
#include "vmx/l1_capabilities.hpp"
#include "vmx/offered_controls.hpp"

using namespace archelon;
using namespace archelon::vmx;

namespace {

std::mt19937_64 g_random(20);

std::uint32_t random32() {
  return static_cast<std::uint32_t>(g_random());
}

// A CPU with some of the optional controls.
Capabilities random_cpu() {
  Capabilities caps = test::machine_capabilities();
  if (g_random() % 4 == 0) {
    caps[arch::msr::kVmxBasic] &= ~basic::kTrueControls;
  }
  for (const OfferedControl& control : offered_controls()) {
    if (g_random() % 16 == 0) {
      test::take_away(caps, control.word, control.mask & ~caps.control(control.word).must);
    }
  }
  return caps;
}

std::uint32_t random_word(const Capabilities& caps, ControlWord word) {
  const ControlCapability capability = caps.control(word);
  return static_cast<std::uint32_t>((g_random() & capability.may) | capability.must);
}

// Some VMCS12 of an L1 that is shown `caps`; what its controls refer to is in order.
test::FakeVmcs random_vmcs12(const Capabilities& caps) {
  test::FakeVmcs v;
  v.write(fields::kPinControls, random_word(caps, ControlWord::kPin));
  v.write(fields::kPrimaryProcControls, random_word(caps, ControlWord::kPrimary));
  v.write(fields::kSecondaryProcControls, random_word(caps, ControlWord::kSecondary));
  v.write(fields::kExitControls, random_word(caps, ControlWord::kExit));
  v.write(fields::kEntryControls, random_word(caps, ControlWord::kEntry));
  v.write(fields::kExceptionBitmap, random32());
  v.write(fields::kPageFaultErrorCodeMask, random32() & 0x1f);
  v.write(fields::kPageFaultErrorCodeMatch, random32() & 0x1f);
  v.write(fields::kCr0GuestHostMask, g_random());
  v.write(fields::kCr4GuestHostMask, g_random());
  v.write(fields::kCr0ReadShadow, g_random());
  v.write(fields::kCr4ReadShadow, g_random());
  v.write(fields::kTscOffset, g_random());
  v.write(fields::kVpid, 1);
  v.write(fields::kEptPointer, 0x5000 | 3 << 3 | 6);
  return v;
}

// The first check of the controls that fails on a CPU, or "".
std::string failing_check(test::FakeVmcs& vmcs, const Capabilities& caps) {
  test::FakeMemory<Gpa1> memory;
  std::string failed;
  all_failures(vmcs, memory, caps, CheckEnvironment{}, [&](const EntryRule& rule) {
    if (rule.stage() == CheckStage::kControls && failed.empty()) {
      failed = rule.name;
    }
  });
  return failed;
}

test::FakeVmcs to_vmcs02(const MergedControls& merged) {
  test::FakeVmcs v;
  v.write(fields::kPinControls, merged.pin);
  v.write(fields::kPrimaryProcControls, merged.primary);
  v.write(fields::kSecondaryProcControls, merged.secondary);
  v.write(fields::kExitControls, merged.exit);
  v.write(fields::kEntryControls, merged.entry);
  v.write(fields::kVpid, 2);
  v.write(fields::kEptPointer, 0x7000 | 3 << 3 | 6);
  return v;
}

// Calls f(cpu, L0's policy there, VMCS12) for entries that pass L1's checks.
template <class F>
void for_each_entry(F f) {
  int tried = 0;
  for (int cpus = 0; cpus < 150; ++cpus) {
    const Capabilities cpu = random_cpu();
    const std::optional<L0Policy> l0 = test::l0_policy_on(cpu);
    if (!l0) {
      continue;
    }
    const Capabilities l1 = l1_capabilities(cpu);
    for (int i = 0; i < 40; ++i) {
      test::FakeVmcs vmcs12 = random_vmcs12(l1);
      if (failing_check(vmcs12, l1).empty()) {
        ++tried;
        f(cpu, *l0, vmcs12);
      }
    }
  }
  REQUIRE(tried > 100);
}

// SDM vol. 3C, "Exception Bitmap".
bool exception_exits(unsigned vector, std::uint32_t code, std::uint32_t bitmap, std::uint32_t mask,
                     std::uint32_t match) {
  const bool set = (bitmap >> vector & 1) != 0;
  return vector == 14 && (code & mask) != match ? !set : set;
}

// What each control of an intercept is among.
constexpr std::uint32_t kPrimaryIntercepts =
    primary::kInterruptWindowExiting | primary::kHltExiting | primary::kInvlpgExiting |
    primary::kMwaitExiting | primary::kRdpmcExiting | primary::kRdtscExiting |
    primary::kCr3LoadExiting | primary::kCr3StoreExiting | primary::kCr8LoadExiting |
    primary::kCr8StoreExiting | primary::kNmiWindowExiting | primary::kMovDrExiting |
    primary::kMonitorExiting | primary::kPauseExiting;
constexpr std::uint32_t kSecondaryIntercepts =
    secondary::kDescriptorTableExiting | secondary::kWbinvdExiting | secondary::kPauseLoopExiting |
    secondary::kRdrandExiting | secondary::kRdseedExiting;

}  // namespace

TEST_CASE("what passes L1's checks merges into controls that the CPU accepts") {
  for_each_entry([](const Capabilities& cpu, const L0Policy& l0, test::FakeVmcs& vmcs12) {
    const MergedControls merged = merge_controls(vmcs12, l0);
    REQUIRE(cpu.control(ControlWord::kPin).allows(merged.pin));
    REQUIRE(cpu.control(ControlWord::kPrimary).allows(merged.primary));
    REQUIRE(cpu.control(ControlWord::kSecondary).allows(merged.secondary));
    REQUIRE(cpu.control(ControlWord::kExit).allows(merged.exit));
    REQUIRE(cpu.control(ControlWord::kEntry).allows(merged.entry));
    test::FakeVmcs vmcs02 = to_vmcs02(merged);
    REQUIRE(failing_check(vmcs02, cpu) == "");
  });
}

TEST_CASE("what L1 or L0 intercepts exits") {
  for_each_entry([](const Capabilities&, const L0Policy& l0, test::FakeVmcs& vmcs12) {
    const MergedControls merged = merge_controls(vmcs12, l0);
    const std::uint32_t primary12 = vmcs12.read(fields::kPrimaryProcControls);
    const std::uint32_t secondary12 = secondary_controls(vmcs12);
    const std::uint32_t pin12 = vmcs12.read(fields::kPinControls);
    REQUIRE((primary12 & kPrimaryIntercepts & ~merged.primary) == 0);
    REQUIRE((secondary12 & kSecondaryIntercepts & ~merged.secondary) == 0);
    REQUIRE(((pin12 | l0.pin) & (pin::kNmiExiting | pin::kExternalInterruptExiting) &
             ~merged.pin) == 0);
    // Every port and every MSR that no bitmap of VMCS02's own lets through.
    REQUIRE((merged.primary & primary::kUnconditionalIoExiting) != 0);
    REQUIRE((merged.primary & primary::kIoBitmaps) == 0);
    REQUIRE((merged.primary & primary::kMsrBitmaps) != 0);
    // Of what L0 intercepts, CR8 alone may become L2's, in a shadow.
    constexpr std::uint32_t kCr8 = primary::kCr8LoadExiting | primary::kCr8StoreExiting;
    REQUIRE((l0.primary & ~kCr8 & ~merged.primary) == 0);
    REQUIRE(((l0.primary & kCr8 & ~merged.primary) == 0 ||
             (merged.primary & primary::kTprShadow) != 0));
    for (unsigned vector = 0; vector < 32; ++vector) {
      const std::uint32_t code = random32() & 0x1f;
      const bool l1 = exception_exits(vector, code, vmcs12.read(fields::kExceptionBitmap),
                                      vmcs12.read(fields::kPageFaultErrorCodeMask),
                                      vmcs12.read(fields::kPageFaultErrorCodeMatch));
      const bool own = (l0.exception_bitmap >> vector & 1) != 0;
      REQUIRE(exception_exits(vector, code, merged.exception_bitmap, merged.page_fault_mask,
                              merged.page_fault_match) == (l1 || own));
    }
  });
}

TEST_CASE("MOV to CR0 or CR4 exits where L1 masks a bit that it changes") {
  const L0Policy l0 = *test::l0_policy_on(test::machine_capabilities());
  const Capabilities l1 = l1_capabilities(test::machine_capabilities());
  for (int i = 0; i < 20'000; ++i) {
    test::FakeVmcs vmcs12 = random_vmcs12(l1);
    const MergedControls merged = merge_controls(vmcs12, l0);
    const ControlRegister rule{.owned = l0.cr0_owned, .fixed = arch::cr0::kNe};
    const std::uint64_t mask12 = vmcs12.read(fields::kCr0GuestHostMask);
    const std::uint64_t shadow12 = vmcs12.read(fields::kCr0ReadShadow);
    const std::uint64_t cr0_12 = g_random();
    const std::uint64_t shadow02 = rule.shadow(cr0_12, mask12, shadow12);
    // A write of few changes, so that the answer is not always yes.
    const std::uint64_t seen = (cr0_12 & ~mask12) | (shadow12 & mask12);
    const std::uint64_t value = seen ^ (g_random() & g_random() & g_random() & g_random());
    const bool exits12 = ((value ^ shadow12) & mask12) != 0;
    const bool exits02 = ((value ^ shadow02) & merged.cr0_mask) != 0;
    REQUIRE(exits02 == (exits12 || ((value ^ cr0_12) & l0.cr0_owned & ~mask12) != 0));
    REQUIRE((merged.cr4_mask & vmcs12.read(fields::kCr4GuestHostMask)) ==
            vmcs12.read(fields::kCr4GuestHostMask));
  }
}

TEST_CASE("no bit of VMCS12 that is not named reaches VMCS02") {
  const Capabilities cpu = test::machine_capabilities();
  const L0Policy l0 = *test::l0_policy_on(cpu);
  const Capabilities l1 = l1_capabilities(cpu);
  // What is passed on is offered, and what is not offered is not passed on.
  const auto offered = [&l1](ControlWord word, std::uint32_t mask) {
    return l1.control(word).can_set(mask);
  };
  REQUIRE(offered(ControlWord::kPin, kPinFromL1));
  REQUIRE(offered(ControlWord::kPrimary, kPrimaryFromL1));
  REQUIRE(offered(ControlWord::kSecondary, kSecondaryFromL1));

  struct {
    Field32 field;
    std::uint32_t named;
  } const kWords[] = {
      {fields::kPinControls, kPinFromL1},
      // The shadow of the TPR takes CR8 from L0; the offset and the secondary word are asked for.
      {fields::kPrimaryProcControls,
       kPrimaryFromL1 | primary::kTscOffsetting | primary::kActivateSecondary},
      {fields::kSecondaryProcControls, kSecondaryFromL1},
      {fields::kExitControls, 0},
      {fields::kEntryControls, entry_controls::kIa32eModeGuest},
  };
  for (int i = 0; i < 200; ++i) {
    test::FakeVmcs vmcs12 = random_vmcs12(l1);
    const MergedControls before = merge_controls(vmcs12, l0);
    for (const auto& word : kWords) {
      const std::uint32_t value = vmcs12.read(word.field);
      for (unsigned n = 0; n < 32; ++n) {
        const std::uint32_t flipped = 1u << n;
        vmcs12.write(word.field, value ^ flipped);
        if ((word.named & flipped) == 0) {
          REQUIRE(merge_controls(vmcs12, l0) == before);
        }
      }
      vmcs12.write(word.field, value);
    }
  }
  // And of all other fields, only these are looked at.
  test::FakeVmcs vmcs12 = random_vmcs12(l1);
  vmcs12.write(fields::kPrimaryProcControls, ~0u);
  vmcs12.reads.clear();
  static_cast<void>(merge_controls(vmcs12, l0));
  const std::set<std::uint32_t> looked_at(vmcs12.reads.begin(), vmcs12.reads.end());
  REQUIRE(looked_at ==
          std::set<std::uint32_t>{
              fields::kPinControls.encoding, fields::kPrimaryProcControls.encoding,
              fields::kSecondaryProcControls.encoding, fields::kEntryControls.encoding,
              fields::kExceptionBitmap.encoding, fields::kPageFaultErrorCodeMask.encoding,
              fields::kPageFaultErrorCodeMatch.encoding, fields::kCr0GuestHostMask.encoding,
              fields::kCr4GuestHostMask.encoding, fields::kTscOffset.encoding});
}

TEST_CASE("a control register comes back from VMCS02 with L2's changes and no others") {
  for (int i = 0; i < 100'000; ++i) {
    const ControlRegister rule{.owned = g_random() & g_random(), .fixed = g_random()};
    const std::uint64_t before = g_random();
    const std::uint64_t mask12 = g_random() & g_random();
    const std::uint64_t shadow12 = g_random();
    const std::uint64_t hardware = rule.hardware(before);
    const std::uint64_t shadow = rule.shadow(before, mask12, shadow12);
    const std::uint64_t mask02 = rule.owned | mask12;
    REQUIRE((hardware & rule.owned) == (rule.fixed & rule.owned));
    // L2 reads what it would read without L0.
    REQUIRE(((hardware & ~mask02) | (shadow & mask02)) ==
            ((before & ~mask12) | (shadow12 & mask12)));
    REQUIRE(rule.register12(hardware, shadow, mask12, before) == before);
    // Its own changes in the hardware, and those that L0 makes in the shadow for it.
    const std::uint64_t own = g_random() & ~mask02;
    const std::uint64_t emulated = g_random() & rule.owned & ~mask12;
    REQUIRE(rule.register12(hardware ^ own, shadow ^ emulated, mask12, before) ==
            (before ^ own ^ emulated));
  }
}
