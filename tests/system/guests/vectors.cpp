// Vector registers stay a guest's own: across exits, across L2's runs (which share them with L1),
// and while another guest on the same CPU does the same with another pattern ("seed=N").
#include <array>

#include "runtime/apic.hpp"
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kWindow = 0xc0000000;

// XSAVE's state-component bits.
constexpr std::uint64_t kX87Sse = 3;
constexpr std::uint64_t kAvx = 4;
constexpr std::uint64_t kAvx512 = 0xe0;

constinit Vcpu vcpu{};
constinit EptTree tree{};
alignas(64) constinit std::array<std::uint64_t, 32 * 8> wanted{};
alignas(64) constinit std::array<std::uint64_t, 32 * 8> found{};
alignas(64) constinit std::array<std::uint64_t, 8> wanted_masks{};
alignas(64) constinit std::array<std::uint64_t, 8> found_masks{};
std::uint64_t components = 0;

#define FOR_16(x) \
  x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define FOR_HIGH_16(x) \
  x(16) x(17) x(18) x(19) x(20) x(21) x(22) x(23) x(24) x(25) x(26) x(27) x(28) x(29) x(30) x(31)
#define FOR_8(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7)

void load() {
#define LOAD(n) "vmovdqu64 " #n "*64(%0), %%zmm" #n "\n\t"
#define LOAD_Y(n) "vmovdqu " #n "*64(%0), %%ymm" #n "\n\t"
#define LOAD_X(n) "movdqu " #n "*64(%0), %%xmm" #n "\n\t"
#define LOAD_K(n) "kmovq " #n "*8(%0), %%k" #n "\n\t"
  if ((components & kAvx512) != 0) {
    asm volatile(FOR_16(LOAD) FOR_HIGH_16(LOAD) : : "r"(wanted.data()) : "memory");
    asm volatile(FOR_8(LOAD_K) : : "r"(wanted_masks.data()) : "memory");
  } else if ((components & kAvx) != 0) {
    asm volatile(FOR_16(LOAD_Y) : : "r"(wanted.data()) : "memory");
  } else {
    asm volatile(FOR_16(LOAD_X) : : "r"(wanted.data()) : "memory");
  }
}

void store() {
#define STORE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%0)\n\t"
#define STORE_Y(n) "vmovdqu %%ymm" #n ", " #n "*64(%0)\n\t"
#define STORE_X(n) "movdqu %%xmm" #n ", " #n "*64(%0)\n\t"
#define STORE_K(n) "kmovq %%k" #n ", " #n "*8(%0)\n\t"
  if ((components & kAvx512) != 0) {
    asm volatile(FOR_16(STORE) FOR_HIGH_16(STORE) : : "r"(found.data()) : "memory");
    asm volatile(FOR_8(STORE_K) : : "r"(found_masks.data()) : "memory");
  } else if ((components & kAvx) != 0) {
    asm volatile(FOR_16(STORE_Y) : : "r"(found.data()) : "memory");
  } else {
    asm volatile(FOR_16(STORE_X) : : "r"(found.data()) : "memory");
  }
}

void choose(std::uint64_t seed) {
  std::uint64_t x = seed * 0x9e3779b97f4a7c15 + 1;
  const auto next = [&x] {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
  };
  for (std::uint64_t& word : wanted) word = next();
  for (std::uint64_t& word : wanted_masks) word = next();
}

bool intact() {
  store();
  const std::size_t words = (components & kAvx512) != 0 ? 8 : (components & kAvx) != 0 ? 4 : 2;
  const std::size_t registers = (components & kAvx512) != 0 ? 32 : 16;
  for (std::size_t r = 0; r < registers; ++r) {
    for (std::size_t w = 0; w < words; ++w) {
      if (found[r * 8 + w] != wanted[r * 8 + w]) {
        line("register ", r, " word ", w, " is ", hex(found[r * 8 + w]), ", was ",
             hex(wanted[r * 8 + w]));
        return false;
      }
    }
  }
  if ((components & kAvx512) == 0) return true;
  for (std::size_t k = 0; k < 8; ++k) {
    if (found_masks[k] != wanted_masks[k]) {
      line("mask ", k, " is ", hex(found_masks[k]), ", was ", hex(wanted_masks[k]));
      return false;
    }
  }
  return true;
}

void enable_vectors() {
  write_cr4(read_cr4() | 1U << 9 | 1U << 10 | 1U << 18);  // OSFXSR, OSXMMEXCPT, OSXSAVE
  components = cpuid(0xd).eax & (kX87Sse | kAvx | kAvx512);
  asm volatile("xsetbv" : : "a"(static_cast<std::uint32_t>(components)), "d"(0), "c"(0));
}

void check(const char* name, bool good) {
  if (!good) fail(name);
}

// A while that is full of exits and long enough that other guests run in between.
void busy(std::uint64_t rounds) {
  for (std::uint64_t i = 0; i < rounds; ++i) {
    cpuid(0);
    for (unsigned spin = 0; spin < 2000; ++spin) pause();
  }
}

void in_l1(std::uint64_t seed) {
  for (std::uint64_t n = 0; n < 8; ++n) {
    choose(seed * 100 + n);
    load();
    busy(400);
    check("L1 alone", intact());
  }
  line("L1 alone: good");
}

// L2 finds L1's values, makes its own, and checks them after exits that L1 and L0 handle.
void l2_main() {
  check("L2 finds what L1 left", intact());
  for (std::uint64_t n = 0; n < 4; ++n) {
    choose(1000 + n);
    load();
    busy(100);
    check("L2, exits to L1", intact());
    for (std::uint64_t page = 0; page < 64; ++page) {
      volatile_write<std::uint64_t>(kWindow + (n * 64 + page) * 4096, page);
    }
    check("L2, EPT violations", intact());
  }
  asm volatile("vmcall");
  fail("L2 went on");
}

// As an operating system switches tasks: the registers' values are saved and others loaded.
alignas(64) constinit std::array<std::uint8_t, 4096> l2_area{};
alignas(64) constinit std::array<std::uint8_t, 4096> l1_area{};

// In the standard format: the compacted one of Bochs 2.7 has YMM's upper halves in the wrong place.
void save_all(void* area) {
  asm volatile("xsave64 (%0)"
               :
               : "r"(area), "a"(static_cast<std::uint32_t>(components)), "d"(0)
               : "memory");
}
void restore_all(const void* area) {
  asm volatile("xrstor64 (%0)"
               :
               : "r"(area), "a"(static_cast<std::uint32_t>(components)), "d"(0)
               : "memory");
}

void l2_computing() {
  choose(77);
  for (unsigned n = 0; n < 2000; ++n) {
    load();
    for (unsigned spin = 0; spin < 500; ++spin) asm volatile("" : : : "memory");
    check("L2, interrupted", intact());
  }
  asm volatile("vmcall");
  fail("L2 went on");
}

// L1's timer interrupts L2, and L1 uses the registers itself meanwhile.
void interrupted() {
  constexpr std::uint8_t kTimerVector = 0x40;
  apic::enable(apic::has_x2apic());
  apic::write(apic::kTimerDivide, 0xb);
  apic::write(apic::kTimer, kTimerVector);
  set_up(vcpu, l2_computing, {.pin = pin::kExternalInterrupt, .exit = exit_control::kAcknowledge});
  write(Field::kGuestRflags, 0x202);
  std::uint64_t interrupts = 0;
  save_all(l1_area.data());
  save_all(l2_area.data());
  for (;;) {
    apic::write(apic::kTimerInitial, 10007);
    restore_all(l2_area.data());
    const Exit exit = run(vcpu);
    save_all(l2_area.data());
    if (exit.reason == reason::kVmcall) break;
    if (exit.reason != reason::kExternalInterrupt) {
      put_exit(exit);
      fail(" unexpected");
    }
    ++interrupts;
    apic::end_of_interrupt();
    // L1's own use, in wanted's place so that L2's is left alone.
    restore_all(l1_area.data());
    for (unsigned spin = 0; spin < 100; ++spin) pause();
    save_all(l1_area.data());
  }
  line("with L2 interrupted: good, often: ", interrupts > 20);
}

void in_l2(std::uint64_t seed) {
  must("vmxon", enter_vmx());
  tree.map_identity(0, 16 * kMiB);
  set_up(vcpu, l2_main, {.ept_pointer = tree.pointer()});
  choose(seed * 100 + 50);
  load();
  for (;;) {
    const Exit exit = run(vcpu);
    if (exit.reason == reason::kCpuid) {
      skip_instruction();
    } else if (exit.reason == reason::kEptViolation) {
      const std::uint64_t gpa = read(Field::kGuestPhysicalAddress) & ~std::uint64_t{0xfff};
      tree.map(gpa, 20 * kMiB + (gpa - kWindow), 0);
    } else if (exit.reason == reason::kVmcall) {
      break;
    } else {
      put_exit(exit);
      fail(" unexpected");
    }
  }
  check("L1 finds what L2 left", intact());
  line("with L2: good");
  interrupted();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  enable_vectors();
  const std::uint64_t seed = command_line_number("seed", 1);
  in_l1(seed);
  in_l2(seed);
  in_l1(seed + 1);
  return 0;
}
