// L2 under EPT12: what is absent, forbidden or malformed, edits with INVEPT, and that the data
// arrives where EPT12 says.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/memory_server.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
// L1's memory that the windows show; L2's windows on it, where no RAM is.
constexpr std::uint64_t kBacking = 32 * kMiB;
constexpr std::uint64_t kBackingEnd = 40 * kMiB;
constexpr std::uint64_t kWindow = 0xc0000000;
constexpr std::uint64_t kLargeWindow = 0xc0200000;
constexpr std::uint64_t kHugeWindow = 0x80000000;

constinit Vcpu vcpu{};
constinit EptTree tree{};
constinit EptTree second{};
alignas(4096) constinit std::array<std::uint64_t, 512> l2_pml4{};

std::uint64_t backing(std::uint64_t offset) {
  return kBacking + offset;
}

void invept_single() {
  must("invept", invept(ept::kInveptSingle, {read(Field::kEptPointer), 0}));
}

// One access which must come to its end by itself.
void step(const char* name, Access access, std::uint64_t gva, std::uint64_t value = 0) {
  report_access(name, vcpu, begin_access(vcpu, access, gva, value));
}

// One access which meets an exit that mend puts right.
template <typename Mend>
void step_mended(const char* name, Access access, std::uint64_t gva, std::uint64_t value,
                 Mend mend) {
  Exit exit = begin_access(vcpu, access, gva, value);
  report_access(name, vcpu, exit);
  if (exit.reason == reason::kVmcall) return;
  mend();
  exit = continue_access(vcpu);
  report_access("  mended", vcpu, exit);
  if (exit.reason != reason::kVmcall) fail("not mended");
}

void absent() {
  line("# absent pages");
  step_mended("read, no PDPTE", Access::kRead, kWindow, 0,
              [] { tree.map(kWindow, backing(0), 0); });
  step("read again", Access::kRead, kWindow + 8);
  step_mended("write, no PTE", Access::kWrite, kWindow + 0x1010, 0xabcd,
              [] { tree.map(kWindow + 0x1000, backing(0x3000), 0); });
  line("L1 sees ", hex(volatile_read<std::uint64_t>(backing(0x3010))));
  step_mended("execute, no PTE", Access::kExecute, kWindow + 0x2000, 0, [] {
    put_code(backing(0x5000), 0x1234567);
    tree.map(kWindow + 0x2000, backing(0x5000), 0);
  });
  step_mended("read, no PDE", Access::kRead, kLargeWindow + 0x12340, 0,
              [] { tree.map(kLargeWindow, backing(2 * kMiB), 1); });
  step("read, 2M page", Access::kRead, kLargeWindow + 0x1ff000);
  step("write, 2M page", Access::kWrite, kLargeWindow + 0x1ff008, 0x77);
  line("L1 sees ", hex(volatile_read<std::uint64_t>(backing(2 * kMiB + 0x1ff008))));
  step("read-modify-write", Access::kAdd, kLargeWindow + 0x1ff008, 3);
  // Across a page's end: the second page is absent.
  step_mended("read across the end", Access::kRead, kWindow + 0x2ffc, 0,
              [] { tree.map(kWindow + 0x3000, backing(0x6000), 0); });
  step_mended("read-modify-write, no PTE", Access::kAdd, kWindow + 0x4000, 5,
              [] { tree.map(kWindow + 0x4000, backing(0x7000), 0); });
}

void rights() {
  line("# rights");
  tree.map(kWindow + 0x10000, backing(0x10000), 0, ept::kRead);
  step("read-only: read", Access::kRead, kWindow + 0x10000);
  step_mended("read-only: write", Access::kWrite, kWindow + 0x10008, 1, [] {
    // The violation itself drops what was cached: no INVEPT.
    tree.map(kWindow + 0x10000, backing(0x10000), 0, ept::kRead | ept::kWrite);
  });
  put_code(backing(0x10100), 0x55);
  step_mended("no execute: execute", Access::kExecute, kWindow + 0x10100, 0,
              [] { tree.map(kWindow + 0x10000, backing(0x10000), 0, ept::kRead | ept::kExecute); });
  step_mended("read and execute: read-modify-write", Access::kAdd, kWindow + 0x10008, 1,
              [] { tree.map(kWindow + 0x10000, backing(0x10000), 0); });
  if ((ept_vpid_capabilities() & ept::kCapExecuteOnly) != 0) {
    put_code(backing(0x11000), 0x66);
    tree.map(kWindow + 0x11000, backing(0x11000), 0, ept::kExecute);
    step("execute-only: execute", Access::kExecute, kWindow + 0x11000);
    step_mended("execute-only: read", Access::kRead, kWindow + 0x11000, 0,
                [] { tree.map(kWindow + 0x11000, backing(0x11000), 0); });
  } else {
    line("execute-only: not offered");
  }
  // Rights are those of all levels together.
  tree.map(kWindow + 0x12000, backing(0x12000), 0);
  std::uint64_t& pde = tree.entry(kWindow, 1);
  pde &= ~ept::kWrite;
  invept_single();
  step_mended("read-only by the PDE: write", Access::kWrite, kWindow + 0x12000, 9,
              [&] { pde |= ept::kWrite; });
  tree.map(kLargeWindow, backing(2 * kMiB), 1, ept::kRead);
  invept_single();
  step_mended("read-only 2M page: write", Access::kWrite, kLargeWindow + 0x5000, 9,
              [] { tree.map(kLargeWindow, backing(2 * kMiB), 1); });
}

void misconfigured(const char* name, std::uint64_t gpa, unsigned level, std::uint64_t entry) {
  std::uint64_t& e = tree.entry(gpa, level);
  const std::uint64_t good = e;
  e = entry;
  invept_single();
  step_mended(name, Access::kRead, gpa + 0x18, 0, [&] { e = good; });
}

void misconfigurations() {
  line("# misconfigurations");
  const std::uint64_t page = kWindow + 0x20000;
  tree.map(page, backing(0x20000), 0);
  const std::uint64_t good = tree.entry(page, 0);
  misconfigured("write-only", page, 0, backing(0x20000) | ept::kWrite | ept::kWriteBack);
  misconfigured("write and execute", page, 0,
                backing(0x20000) | ept::kWrite | ept::kExecute | ept::kWriteBack);
  misconfigured("memory type 2", page, 0, (good & ~std::uint64_t{0x38}) | 2 << 3);
  misconfigured("memory type 3", page, 0, (good & ~std::uint64_t{0x38}) | 3 << 3);
  misconfigured("memory type 7", page, 0, good | 7 << 3);
  misconfigured("beyond the width", page, 0, good | 1ULL << 51);
  const std::uint64_t table = tree.entry(page, 1);
  misconfigured("PDE with bit 3", page, 1, table | 8);
  misconfigured("PDE write-only", page, 1, (table & ~std::uint64_t{7}) | ept::kWrite);
  misconfigured("PDE beyond the width", page, 1, table | 1ULL << 51);
  misconfigured("2M page misaligned", kLargeWindow, 1, tree.entry(kLargeWindow, 1) | 1 << 13);
  misconfigured("PDPTE with bit 4", page, 2, tree.entry(page, 2) | 0x10);
}

void edits() {
  line("# edits");
  const std::uint64_t page = kWindow + 0x30000;
  volatile_write<std::uint64_t>(backing(0x30000), 0xaaaa);
  volatile_write<std::uint64_t>(backing(0x31000), 0xbbbb);
  tree.map(page, backing(0x30000), 0);
  step("first page", Access::kRead, page);
  tree.map(page, backing(0x31000), 0);
  invept_single();
  step("second page, INVEPT single", Access::kRead, page);
  tree.map(page, backing(0x30000), 0);
  must("invept", invept(ept::kInveptAll, {}));
  step("first page, INVEPT all", Access::kRead, page);
  tree.unmap(page, 0);
  invept_single();
  step_mended("unmapped", Access::kRead, page, 0, [&] { tree.map(page, backing(0x31000), 0); });
  tree.map(page, backing(0x31000), 0, ept::kRead);
  invept_single();
  step_mended("made read-only", Access::kWrite, page, 0xcccc,
              [&] { tree.map(page, backing(0x31000), 0); });
  tree.split(kLargeWindow);
  tree.map(kLargeWindow + 0x7000, backing(0x31000), 0);
  invept_single();
  step("2M page split, one page elsewhere", Access::kRead, kLargeWindow + 0x7000);
  step("2M page split, the next", Access::kRead, kLargeWindow + 0x8000);
  // Back to a large page: the table below is forgotten.
  tree.map(kLargeWindow, backing(4 * kMiB), 1);
  invept_single();
  step("large again, elsewhere", Access::kRead, kLargeWindow + 0x7000);

  second.map_identity(0, 16 * kMiB);
  second.map(page, backing(0x30000), 0);
  const std::uint64_t first_pointer = read(Field::kEptPointer);
  for (int i = 0; i < 2; ++i) {
    write(Field::kEptPointer, second.pointer());
    step("second tree", Access::kRead, page);
    write(Field::kEptPointer, first_pointer);
    step("first tree", Access::kRead, page);
  }
  write(Field::kEptPointer, second.pointer());
  step_mended("second tree lacks it", Access::kRead, kWindow, 0,
              [] { second.map(kWindow, backing(0x31000), 0); });
  write(Field::kEptPointer, first_pointer);
  step("first tree has it", Access::kRead, kWindow);
}

void many_pages() {
  line("# many pages");
  const std::uint64_t window = kWindow + 0x400000;
  for (std::uint64_t i = 0; i < 512; ++i) {
    tree.map(window + (i << 12), backing(6 * kMiB) + ((511 - i) << 12), 0);
  }
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < 512; i += 3) {
    const Exit exit = begin_access(vcpu, Access::kRead, window + (i << 12));
    const std::uint64_t wanted =
        volatile_read<std::uint64_t>(backing(6 * kMiB) + ((511 - i) << 12));
    if (exit.reason != reason::kVmcall) {
      report_access("unexpected", vcpu, exit);
      fail("page ", i);
    }
    if (vcpu.regs.rax != wanted) ++wrong;
  }
  line("wrong pages: ", wrong);
  if ((ept_vpid_capabilities() & ept::kCap1G) != 0) {
    tree.map(kHugeWindow, 0, 2);
    step("1G page", Access::kRead, kHugeWindow + backing(0x30000));
    tree.map(kHugeWindow, 0, 2, ept::kRead);
    invept_single();
    step_mended("1G page, read-only", Access::kWrite, kHugeWindow + backing(0x30000), 1,
                [] { tree.map(kHugeWindow, 0, 2); });
    line("L1 sees ", hex(volatile_read<std::uint64_t>(backing(0x30000))));
  } else {
    line("1G page: not offered");
  }
}

// L2's own page tables are L2's memory too.
void walks() {
  line("# L2's page tables");
  const std::uint64_t table = kWindow + 0x40000;
  const auto* own = reinterpret_cast<const std::uint64_t*>(read_cr3() & ~std::uint64_t{0xfff});
  for (std::size_t i = 0; i < 512; ++i) l2_pml4[i] = own[i];
  write(Field::kGuestCr3, table);
  step_mended("PML4 absent", Access::kRead, kWindow, 0,
              [=] { tree.map(table, address_of(&l2_pml4), 0); });
  write(Field::kGuestCr3, read_cr3());
  invept_single();
  step("own tables again", Access::kRead, kWindow);
}

void vpid() {
  line("# VPID");
  if (!offers_proc2(proc2::kVpid)) {
    line("not offered");
    return;
  }
  write(Field::kProcControls2, read(Field::kProcControls2) | proc2::kVpid);
  write(Field::kVpid, 7);
  auto* pml4 = reinterpret_cast<std::uint64_t*>(read_cr3() & ~std::uint64_t{0xfff});
  auto* pdpt = reinterpret_cast<std::uint64_t*>(pml4[0] & ~std::uint64_t{0xfff});
  auto* pd = reinterpret_cast<std::uint64_t*>(pdpt[3] & ~std::uint64_t{0xfff});
  step("first page", Access::kRead, kWindow + 0x30000);
  const std::uint64_t good = pd[0];
  pd[0] = (good & 0xfff) | kLargeWindow;
  must("invvpid", invvpid(1, {7, 0}));
  step("L2's PDE changed, INVVPID", Access::kRead, kWindow + 0x30000);
  pd[0] = good;
  must("invvpid", invvpid(2, {}));
  step("changed back, INVVPID all", Access::kRead, kWindow + 0x30000);
}

void show_flags(const char* name, std::uint64_t gpa) {
  put(name);
  for (unsigned level = 3; level < 4; --level) {
    put(" ");
    put(hex(tree.entry(gpa, level) & (ept::kAccessed | ept::kDirty)));
  }
  line();
}

void accessed_dirty() {
  line("# accessed and dirty");
  if ((ept_vpid_capabilities() & ept::kCapAccessedDirty) == 0) {
    line("not offered");
    return;
  }
  write(Field::kEptPointer, tree.pointer(true));
  invept_single();
  const std::uint64_t page = kWindow + 0x50000;
  tree.map(page, backing(0x50000), 0);
  show_flags("before", page);
  step("read", Access::kRead, page);
  show_flags("after a read", page);
  step("write", Access::kWrite, page, 5);
  show_flags("after a write", page);
  tree.entry(page, 0) &= ~(ept::kAccessed | ept::kDirty);
  invept_single();
  show_flags("cleared", page);
  step("write", Access::kWrite, page, 6);
  show_flags("after a write", page);
  const std::uint64_t next = page + 0x1000;
  tree.map(next, backing(0x51000), 0);
  step("write first", Access::kWrite, next, 7);
  show_flags("after a write", next);
  write(Field::kEptPointer, tree.pointer(false));
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  must("vmxon", enter_vmx());
  if (!offers_proc2(proc2::kEpt)) fail("EPT is not offered");
  if (ram_end() < kBackingEnd) fail("not enough memory");
  for (std::uint64_t pa = kBacking; pa < kBackingEnd; pa += 8) {
    volatile_write<std::uint64_t>(pa, pa ^ 0x5a5a000000000000);
  }
  tree.map_identity(0, 16 * kMiB);
  set_up(vcpu, memory_server, {.ept_pointer = tree.pointer()});
  report_access("start", vcpu, run(vcpu));
  absent();
  rights();
  misconfigurations();
  edits();
  many_pages();
  walks();
  vpid();
  accessed_dirty();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
  return 0;
}
