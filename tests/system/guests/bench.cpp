// Costs of the operations of a hypervisor which is itself a guest, in TSC ticks (in an emulator
// that counts instructions: emulated instructions). Prints "bench NAME MEDIAN" lines.
#include <algorithm>

#include "runtime/apic.hpp"
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

extern "C" {
// L2's programs, below. None uses the stack but for events.
void l2_vmcall();
void l2_cpuid();
void l2_io();
void l2_hlt();
void l2_spin();
void l2_touch_new();
void l2_touch_64();
void l2_plain();
void l2_on_vector();
void l2_after_cpuid();
void l2_after_io();
void l2_after_hlt();
}

asm(R"(
  .text
l2_vmcall:
  vmcall
  jmp l2_vmcall
l2_cpuid:
  cpuid
l2_after_cpuid:
  jmp l2_cpuid
l2_io:
  outb %al, $0x80
l2_after_io:
  jmp l2_io
l2_hlt:
  hlt
l2_after_hlt:
  jmp l2_hlt
l2_spin:
  jmp l2_spin
l2_touch_new:
  movb $1, (%rbx)
  add $4096, %rbx
  jmp l2_touch_new
l2_touch_64:
  mov %rbx, %rax
  mov $64, %ecx
1:
  movb $1, (%rax)
  add $4096, %rax
  dec %ecx
  jnz 1b
  vmcall
  jmp l2_touch_64
l2_plain:
  mov $500000, %ecx
  nop
1:
  dec %ecx
  jnz 1b
  nop
  vmcall
  jmp l2_plain
l2_on_vector:
  vmcall
  iretq
)");

namespace {

constexpr std::size_t kSamples = 101;
constexpr std::uint64_t kTouchBase = 0x1000000;
constexpr std::uint8_t kVector = 0x40;

constinit Vcpu vcpu{};
constinit EptTree tree{};
constinit std::array<std::uint64_t, kSamples> samples{};
alignas(4096) constinit std::array<std::uint8_t, 8192> io_bitmaps{};

void report(const char* name, std::size_t n = kSamples) {
  std::sort(samples.begin(), samples.begin() + n);
  line("bench ", name, " ", samples[n / 2]);
}

// Times the operation alone, `before` and `after` it not.
template <typename Operation, typename Around>
void measure(const char* name, Operation operation, Around before, Around after) {
  for (std::uint64_t& sample : samples) {
    before();
    const std::uint64_t begin = rdtsc();
    operation();
    sample = rdtsc() - begin;
    after();
  }
  report(name);
}
template <typename Operation>
void measure(const char* name, Operation operation) {
  const auto nothing = [] {};
  measure(name, operation, nothing, nothing);
}

[[gnu::always_inline]] inline std::uint64_t fast_read(Field field) {
  std::uint64_t value;
  asm volatile("vmread %1, %0" : "=r"(value) : "r"(static_cast<std::uint64_t>(field)) : "cc");
  return value;
}
[[gnu::always_inline]] inline void fast_write(Field field, std::uint64_t value) {
  asm volatile("vmwrite %0, %1" : : "r"(value), "r"(static_cast<std::uint64_t>(field)) : "cc");
}

void expect(const char* name, std::uint32_t wanted) {
  const auto reason = static_cast<std::uint32_t>(read(Field::kExitReason));
  if (reason != wanted) fail(name, ": exit ", reason, ", expected ", wanted);
}

std::uint64_t address(void (*code)()) {
  return reinterpret_cast<std::uint64_t>(code);
}

template <typename... Fields>
[[gnu::always_inline]] inline void fast_read_all(Fields... fields) {
  (fast_read(fields), ...);
}
template <typename... Fields>
[[gnu::always_inline]] inline void fast_clear_all(Fields... fields) {
  (fast_write(fields, 0), ...);
}

// What a plain L1 does at an exit: 8 VMREADs and 2 VMWRITEs.
[[gnu::always_inline]] inline void handle_8_2(std::uint64_t next_rip) {
  using enum Field;
  fast_read_all(kExitReason, kExitQualification, kExitInterruption, kIdtVectoring,
                kExitInstructionLength, kGuestRip, kGuestRsp, kGuestInterruptibility);
  fast_write(kGuestRip, next_rip);
  fast_clear_all(kGuestInterruptibility);
}

// What a heavier L1 does: 24 and 8.
[[gnu::always_inline]] inline void handle_24_8(std::uint64_t next_rip) {
  using enum Field;
  handle_8_2(next_rip);
  fast_read_all(kGuestRflags, kGuestCr0, kGuestCr3, kGuestCr4, kGuestCs, kGuestCsBase,
                kGuestCsLimit, kGuestCsRights, kGuestSs, kGuestSsRights, kGuestActivity,
                kGuestPendingDebug, kGuestLinearAddress, kGuestPhysicalAddress, kExitErrorCode,
                kIdtVectoringError);
  fast_clear_all(kEntryInterruption, kEntryErrorCode, kEntryInstructionLength, kExceptionBitmap,
                 kTprThreshold, kGuestPendingDebug);
}

void bench_instructions() {
  using enum Field;
  measure("cpuid-l1", [] {
    std::uint32_t leaf = 0;
    asm volatile("cpuid" : "+a"(leaf) : : "rbx", "rcx", "rdx");
  });
  set_up(vcpu, l2_vmcall);
  const std::uint64_t host_rip = read(kHostRip);
  measure("vmread-exit-reason", [] { fast_read(kExitReason); });
  measure("vmwrite-guest-rip", [] { fast_write(kGuestRip, address(l2_vmcall)); });
  measure("vmread-host-rip", [] { fast_read(kHostRip); });
  measure("vmwrite-host-rip", [=] { fast_write(kHostRip, host_rip); });
  const std::uint64_t pointer = address_of(&vcpu.vmcs);
  measure("vmptrld-current", [&] { asm volatile("vmptrld %0" : : "m"(pointer) : "cc"); });
}

void bench_round_trips() {
  using enum Field;
  set_up(vcpu, l2_vmcall);
  run(vcpu);
  measure("vmcall-0-0", [] { vcpu_enter(&vcpu); });
  expect("vmcall", reason::kVmcall);

  set_up(vcpu, l2_cpuid);
  run(vcpu);
  measure("cpuid-l2-8-2", [] {
    vcpu_enter(&vcpu);
    handle_8_2(address(l2_after_cpuid));
  });
  expect("cpuid", reason::kCpuid);
  measure("cpuid-l2-24-8", [] {
    vcpu_enter(&vcpu);
    handle_24_8(address(l2_after_cpuid));
  });
  expect("cpuid", reason::kCpuid);

  io_bitmaps[0x80 / 8] = 1;
  set_up(vcpu, l2_io, {.proc = proc::kIoBitmaps});
  write(kIoBitmapA, address_of(&io_bitmaps[0]));
  write(kIoBitmapB, address_of(&io_bitmaps[4096]));
  run(vcpu);
  measure("io-8-2", [] {
    vcpu_enter(&vcpu);
    handle_8_2(address(l2_after_io));
  });
  expect("io", reason::kIo);

  set_up(vcpu, l2_hlt, {.proc = proc::kHlt});
  run(vcpu);
  measure("hlt-8-2", [] {
    vcpu_enter(&vcpu);
    handle_8_2(address(l2_after_hlt));
  });
  expect("hlt", reason::kHlt);
}

void bench_ept() {
  using enum Field;
  if (!offers_proc2(proc2::kEpt)) {
    line("skip ept");
    return;
  }
  tree.map_identity(0, std::min<std::uint64_t>(ram_end(), 1ULL << 30));
  tree.split(kTouchBase);
  std::uint64_t* const entries = &tree.entry(kTouchBase, 0);
  const std::uint64_t mapped = entries[0];
  for (std::size_t i = 0; i < 512; ++i) entries[i] = 0;
  set_up(vcpu, l2_touch_new, {.ept_pointer = tree.pointer()});
  vcpu.regs.rbx = kTouchBase;
  run(vcpu);
  measure("first-touch", [=] {
    const std::uint64_t gpa = fast_read(kGuestPhysicalAddress) & ~std::uint64_t{0xfff};
    entries[(gpa - kTouchBase) >> 12] = mapped + (gpa - kTouchBase);
    vcpu_enter(&vcpu);
  });
  expect("first-touch", reason::kEptViolation);
  if (vcpu.regs.rbx != kTouchBase + kSamples * 4096) fail("first-touch: rbx ", hex(vcpu.regs.rbx));

  for (std::size_t i = 0; i < 64; ++i) entries[i] = mapped + (i << 12);
  write(kGuestRip, address(l2_touch_64));
  vcpu.regs.rbx = kTouchBase;
  run(vcpu);
  const auto restart = [] { write(kGuestRip, address(l2_touch_64)); };
  const auto nothing = [] {};
  measure<void (*)(), void (*)()>(
      "touch-64", [] { vcpu_enter(&vcpu); }, restart, nothing);
  expect("touch-64", reason::kVmcall);
  const InvDescriptor descriptor{tree.pointer(), 0};
  for (std::uint64_t& sample : samples) {
    restart();
    const std::uint64_t begin = rdtsc();
    asm volatile("invept %0, %1" : : "m"(descriptor), "r"(ept::kInveptSingle) : "cc", "memory");
    vcpu_enter(&vcpu);
    sample = rdtsc() - begin;
  }
  report("touch-64-invept-single");
  expect("touch-64-invept-single", reason::kVmcall);
}

void bench_events() {
  using enum Field;
  if (offers(msr::kVmxTruePinbased, pin::kPreemptionTimer)) {
    set_up(vcpu, l2_spin, {.pin = pin::kPreemptionTimer});
    write(kPreemptionTimer, 0);
    run(vcpu);
    measure("preemption-timer-0", [] { vcpu_enter(&vcpu); });
    expect("preemption-timer", reason::kPreemptionTimer);
  }

  apic::enable(apic::has_x2apic());
  set_up(vcpu, l2_spin, {.pin = pin::kExternalInterrupt, .exit = exit_control::kAcknowledge});
  write(kGuestRflags, 0x202);
  const auto raise = [] { apic::send_to_self(kVector); };
  const auto check = [] {
    expect("external-interrupt", reason::kExternalInterrupt);
    if (read(kExitInterruption) != (0x80000000 | kVector)) {
      fail("acknowledged ", hex(read(kExitInterruption)));
    }
    apic::end_of_interrupt();
  };
  raise();
  run(vcpu);
  check();
  measure<void (*)(), void (*)()>(
      "external-interrupt", [] { vcpu_enter(&vcpu); }, raise, check);

  set_raw_gate(kVector, address(l2_on_vector));
  set_up(vcpu, l2_vmcall);
  run(vcpu);
  const std::uint64_t rsp = read(kGuestRsp);
  measure("inject-vector", [=] {
    fast_write(kGuestRip, address(l2_spin));
    fast_write(kGuestRsp, rsp);
    fast_write(kGuestRflags, 0x202);
    fast_write(kEntryInterruption, 0x80000000 | kVector);
    vcpu_enter(&vcpu);
  });
  expect("inject-vector", reason::kVmcall);
  if (read(kGuestRip) != address(l2_on_vector)) fail("inject-vector: rip ", hex(read(kGuestRip)));
}

void bench_plain() {
  set_up(vcpu, l2_plain);
  run(vcpu);
  for (std::size_t i = 0; i < 5; ++i) {
    write(Field::kGuestRip, address(l2_plain));
    const std::uint64_t begin = rdtsc();
    vcpu_enter(&vcpu);
    samples[i] = rdtsc() - begin;
  }
  report("plain-1000004", 5);
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  must("vmxon", enter_vmx());
  bench_instructions();
  bench_round_trips();
  bench_ept();
  bench_events();
  bench_plain();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
  return 0;
}
