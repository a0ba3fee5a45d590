// As L1, lets L2 reach by EPT12, and the CPU by the VMCS, for what is not L1's: other guests'
// memory, L0's, devices, absent and impossible addresses. L2 may get all ones or an exit, never
// data. For L1 under Archelon: on a bare machine there is nobody to attack, and what is found may
// differ.
#include <initializer_list>

#include "runtime/apic.hpp"
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/memory_server.hpp"

using namespace guest;
using namespace guest::vmx;
using enum guest::vmx::Field;

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;
constexpr std::uint64_t kWindow = 0xc0000000;
constexpr std::uint64_t kLargeWindow = 0xc0200000;
constexpr std::uint64_t kHugeWindow = 0x80000000;
constexpr std::uint64_t kPoison = 0x6b6b6b6b6b6b6b6b;
constexpr std::uint64_t kLapic = 0xfee00000;
constexpr std::uint64_t kIoapic = 0xfec00000;

constinit Vcpu vcpu{};
constinit EptTree tree{};
std::uint64_t leaks = 0;

struct Counts {
  std::uint64_t ones = 0;
  std::uint64_t zeros = 0;
  std::uint64_t violations = 0;
  std::uint64_t misconfigurations = 0;
  std::uint64_t others = 0;
};

void restart_l2() {
  write(kGuestRip, reinterpret_cast<std::uint64_t>(memory_server));
  vcpu.regs.rdx = 0;
  const Exit exit = run(vcpu);
  if (exit.reason != reason::kVmcall) {
    report_access("restart", vcpu, exit);
    fail("L2 does not start again");
  }
}

// One access to where L1 has no memory.
void attack(Access access, std::uint64_t gva, std::uint64_t target, Counts& counts) {
  const Exit exit = begin_access(vcpu, access, gva, kPoison);
  if (exit.reason == reason::kVmcall) {
    const std::uint64_t value = vcpu.regs.rax;
    if (access == Access::kWrite || value == ~std::uint64_t{0}) {
      ++counts.ones;
    } else if (value == 0) {
      ++counts.zeros;
    } else {
      if (++leaks <= 10) line("LEAK at ", hex(target), ": ", hex(value));
    }
    return;
  }
  if (exit.reason == reason::kEptViolation) {
    ++counts.violations;
  } else if (exit.reason == reason::kEptMisconfiguration) {
    ++counts.misconfigurations;
  } else {
    if (++counts.others == 1) report_access("another exit", vcpu, exit);
  }
  restart_l2();
}

void invept_single() {
  must("invept", invept(ept::kInveptSingle, {read(kEptPointer), 0}));
}

void show(const char* name, const Counts& c) {
  line(name, ": ones ", c.ones, " zeros ", c.zeros, " violations ", c.violations,
       " misconfigurations ", c.misconfigurations, " others ", c.others);
}

bool is_device(std::uint64_t address) {
  return (address >= kIoapic && address < kIoapic + 0x1000) ||
         (address >= kLapic && address < kLapic + 0x1000) || address >= 0xfffc0000;
}

void sweep(const char* name, std::uint64_t begin, std::uint64_t end, std::uint64_t stride) {
  Counts counts;
  for (std::uint64_t target = begin; target < end; target += stride) {
    if (target < 4 * kGiB && is_device(target)) continue;
    tree.map(kWindow, target & ~std::uint64_t{0xfff}, 0);
    invept_single();
    attack(Access::kRead, kWindow + 0x7f8, target, counts);
    attack(Access::kWrite, kWindow + 0x7f8, target, counts);
    attack(Access::kRead, kWindow + 0x7f8, target, counts);
  }
  show(name, counts);
}

// All of L1's own memory, by EPT12, must be L1's own memory.
void own_memory() {
  std::uint64_t pages = 0;
  std::uint64_t wrong = 0;
  for (std::uint64_t a = 16 * kMiB; a < (ram_end() & ~std::uint64_t{0xfff}); a += 0x1000) {
    volatile_write<std::uint64_t>(a, a ^ 0xfeedfacecafebeef);
  }
  for (std::uint64_t a = 16 * kMiB; a < (ram_end() & ~std::uint64_t{0xfff}); a += 0x11000) {
    tree.map(kWindow, a, 0);
    invept_single();
    ++pages;
    const Exit exit = begin_access(vcpu, Access::kRead, kWindow);
    if (exit.reason != reason::kVmcall || vcpu.regs.rax != (a ^ 0xfeedfacecafebeef)) ++wrong;
    if (exit.reason != reason::kVmcall) restart_l2();
  }
  line("own memory: pages ", pages > 0, " wrong ", wrong);
}

// Large pages that begin in L1's memory and end behind it.
void across_the_end() {
  Counts counts;
  const std::uint64_t end = (ram_end() + 0x1fffff) & ~std::uint64_t{0x1fffff};
  tree.map(kLargeWindow, end, 1);
  invept_single();
  for (std::uint64_t offset = 0; offset < 2 * kMiB; offset += 0x21000) {
    attack(Access::kRead, kLargeWindow + offset, end + offset, counts);
    attack(Access::kWrite, kLargeWindow + offset, end + offset, counts);
  }
  show("2M page behind the end", counts);
  if ((ept_vpid_capabilities() & ept::kCap1G) == 0) {
    line("1G page: not offered");
    return;
  }
  counts = Counts{};
  tree.map(kHugeWindow, 0, 2);
  invept_single();
  for (std::uint64_t offset = end; offset < kGiB; offset += 4 * kMiB + 0x1000) {
    attack(Access::kRead, kHugeWindow + offset, offset, counts);
    attack(Access::kWrite, kHugeWindow + offset, offset, counts);
  }
  show("1G page behind the end", counts);
}

void devices() {
  const std::uint32_t version = volatile_read<std::uint32_t>(kLapic + apic::kVersion);
  tree.map(kWindow, kLapic, 0);
  invept_single();
  Exit exit = begin_access(vcpu, Access::kRead32, kWindow + apic::kVersion);
  if (exit.reason == reason::kVmcall) {
    line("LAPIC by EPT12: as L1 sees it or ones: ",
         vcpu.regs.rax == version || vcpu.regs.rax == 0xffffffff);
  } else {
    report_access("LAPIC by EPT12", vcpu, exit);
    restart_l2();
  }
  // An INIT to all others, which must not reach a real CPU's APIC.
  exit = begin_access(vcpu, Access::kWrite32, kWindow + apic::kIcrLow, 0xc4500);
  if (exit.reason != reason::kVmcall) restart_l2();
  line("LAPIC written");
  tree.map(kWindow, kIoapic, 0);
  invept_single();
  exit = begin_access(vcpu, Access::kWrite32, kWindow, 0x10);
  if (exit.reason != reason::kVmcall) restart_l2();
  exit = begin_access(vcpu, Access::kWrite32, kWindow + 0x10, 0x700);
  if (exit.reason != reason::kVmcall) restart_l2();
  line("IOAPIC written");
}

void tables() {
  const std::uint64_t absent = ((ram_end() + kMiB) & ~std::uint64_t{0xfff}) + 16 * kMiB;
  const std::uint64_t width = cpuid(0x80000008).eax & 0xff;
  const std::uint64_t good = read(kEptPointer);
  std::uint64_t& pte = tree.entry(kWindow, 0);
  pte = 16 * kMiB | ept::kAll | ept::kWriteBack;
  std::uint64_t& pde = tree.entry(kWindow, 1);
  const std::uint64_t good_pde = pde;
  struct Case {
    const char* name;
    std::uint64_t entry;
  };
  const Case cases[] = {{"table absent", absent | ept::kAll},
                        {"table at 4G", 4 * kGiB | ept::kAll},
                        {"table at the LAPIC", kLapic | ept::kAll},
                        {"table at the highest address", ((1ULL << width) - 0x1000) | ept::kAll},
                        {"table beyond the width", 1ULL << width | ept::kAll}};
  for (const Case& c : cases) {
    pde = c.entry;
    invept_single();
    Counts counts;
    attack(Access::kRead, kWindow, c.entry, counts);
    show(c.name, counts);
    pde = good_pde;
    invept_single();
  }
  // The EPT's root itself. L2 cannot make a step: any exit will do, or the refusal of the entry.
  for (const std::uint64_t root :
       {absent, 4 * kGiB, kLapic, (std::uint64_t{1} << width) - 0x1000}) {
    write(kEptPointer, root | 0x1e);
    Exit exit;
    const Outcome outcome = try_run(vcpu, exit);
    put("root ");
    put(root == absent     ? "absent"
        : root == kLapic   ? "at the LAPIC"
        : root == 4 * kGiB ? "at 4G"
                           : "highest");
    put(": ");
    if (outcome.ok()) {
      put_exit(exit);
    } else {
      put(outcome);
    }
    line();
  }
  write(kEptPointer, good);
  restart_l2();
  // A root in L1's memory which is its own table at every level.
  static constinit EptTree loop;
  loop.entry(0, 3) = (loop.pointer() & ~std::uint64_t{0xfff}) | ept::kAll;
  write(kEptPointer, loop.pointer());
  Exit exit;
  const Outcome outcome = try_run(vcpu, exit);
  line("root in itself: exit or refusal ", !outcome.ok() || exit.reason != reason::kVmcall);
  write(kEptPointer, good);
  restart_l2();
}

// The structures that the VMCS points to, where no memory is.
void structures() {
  const std::uint64_t absent = (ram_end() + 32 * kMiB) & ~std::uint64_t{0xfff};
  const std::uint64_t highest = (1ULL << (cpuid(0x80000008).eax & 0xff)) - 0x1000;
  struct Case {
    const char* name;
    Field field;
    std::uint32_t proc;
    Field count;
  };
  const Case cases[] = {
      {"I/O bitmap", kIoBitmapA, proc::kIoBitmaps, kVpid},
      {"MSR bitmap", kMsrBitmap, proc::kMsrBitmaps, kVpid},
      {"virtual-APIC page", kVirtualApicPage, proc::kTprShadow, kVpid},
      {"entry MSR-load area", kEntryMsrLoad, 0, kEntryMsrLoadCount},
      {"VMCS link", kVmcsLink, 0, kVpid},
  };
  for (const Case& c : cases) {
    for (const std::uint64_t where : {absent, kLapic, highest}) {
      put(c.name);
      put(where == absent ? " absent: " : where == kLapic ? " at the LAPIC: " : " highest: ");
      if (!offers(msr::kVmxProcbased, c.proc)) {
        line("not offered");
        continue;
      }
      set_up(vcpu, memory_server, {.proc = c.proc, .ept_pointer = tree.pointer()});
      if (c.field == kIoBitmapA) write(kIoBitmapB, where);
      write(c.field, where);
      if (c.count != kVpid) write(c.count, 1);
      Exit exit;
      const Outcome outcome = try_run(vcpu, exit);
      if (outcome.ok()) {
        put_exit(exit);
      } else {
        put(outcome);
      }
      line();
    }
  }
  line("vmptrld absent: ", vmptrld(absent));
  line("vmclear absent: ", vmclear(absent));
  line("vmptrld highest: ", vmptrld(highest));
  line("vmclear highest: ", vmclear(highest));
  line("vmptrld at the LAPIC: ", vmptrld(kLapic));
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  must("vmxon", enter_vmx());
  tree.map_identity(0, 16 * kMiB);
  set_up(vcpu, memory_server, {.ept_pointer = tree.pointer()});
  run(vcpu);
  own_memory();
  const std::uint64_t end = (ram_end() + kMiB) & ~std::uint64_t{0xfff};
  sweep("behind memory", end, end + 64 * kMiB, 0x40000);
  sweep("up to 4G", end + 64 * kMiB, 4 * kGiB, 8 * kMiB);
  sweep("4G to 64G", 4 * kGiB, 64 * kGiB, 256 * kMiB + 0x1000);
  const std::uint64_t width = 1ULL << (cpuid(0x80000008).eax & 0xff);
  sweep("at the highest addresses", width - 64 * 0x1000, width, 0x1000);
  sweep("beyond the width", width, width + 4 * 0x1000, 0x1000);
  across_the_end();
  devices();
  tables();
  structures();
  line("leaks: ", leaks);
  must("vmxoff", vmxoff());
  return leaks == 0 ? 0 : 1;
}
