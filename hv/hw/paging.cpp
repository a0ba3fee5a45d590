#include "hv/hw/paging.hpp"

#include <array>
#include <cstring>

#include "boot/page_tables.hpp"
#include "hv/arch/cpuid.hpp"
#include "hv/arch/cr.hpp"
#include "hv/arch/msr.hpp"
#include "hv/base/assert.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/direct_memory.hpp"
#include "hv/hw/image.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/spinlock.hpp"

namespace archelon::hw {
namespace {

using boot::MapResult;
using boot::PageUse;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;
constexpr Hpa kStartMapped{std::uint64_t{4} << 30};  // what boot/start.asm maps
// Frames for device mappings and for the stacks of kMaxCpus, beyond what RAM itself needs.
constexpr std::uint64_t kSpareFrames = 256;
constexpr std::uint64_t kStackFrames = (kStackSize + kIstCount * kIstStackSize) / kPageSize;

// Frames out of one block that the memory map gave up.
class FramePool {
 public:
  void init(Hpa base, std::uint64_t frames) {
    next_ = base;
    end_ = base + frames * kPageSize;
  }
  std::optional<Hpa> allocate() {
    if (next_ == end_) {
      return std::nullopt;
    }
    const Hpa frame = next_;
    next_ += kPageSize;
    return frame;
  }

 private:
  Hpa next_;
  Hpa end_;
};

using Tables = boot::PageTables<DirectMemory, FramePool>;

constinit DirectMemory g_memory{kStartMapped};
constinit FramePool g_pool;
constinit Hpa g_root;
constinit ApStartMemory g_ap_start;
constinit Spinlock g_lock;
constinit bool g_has_1g_pages = false;

Tables tables() {
  return {g_memory, g_pool, g_root, g_has_1g_pages};
}

bool has(std::uint32_t leaf, std::uint32_t CpuidResult::*word, std::uint32_t mask) {
  const std::uint32_t group = leaf & 0x80000000;
  return hw::cpuid(group).eax >= leaf && (hw::cpuid(leaf).*word & mask) != 0;
}

bool belongs_in_direct_map(boot::MemoryKind kind) {
  return kind == boot::MemoryKind::kUsable || kind == boot::MemoryKind::kTaken ||
         kind == boot::MemoryKind::kAcpiReclaimable || kind == boot::MemoryKind::kAcpiNvs;
}

// Calls visit(begin, end) for each stretch of the map that the direct map shows, whole pages.
template <class Visit>
void for_each_stretch(const boot::MemoryMap& memory, Visit visit) {
  Hpa begin;
  Hpa end;
  for (const boot::MemoryRange& range : memory) {
    if (!belongs_in_direct_map(range.kind)) {
      continue;
    }
    const Hpa first = range.begin.page();
    const Hpa last((range.end.value() + kPageSize - 1) & ~(kPageSize - 1));
    if (first > end) {
      if (begin != end) {
        visit(begin, end);
      }
      begin = first;
    }
    end = last > end ? last : end;
  }
  if (begin != end) {
    visit(begin, end);
  }
}

std::uint64_t frames_needed(const boot::MemoryMap& memory) {
  std::uint64_t frames = 4;
  for_each_stretch(memory, [&](Hpa begin, Hpa end) {
    const std::uint64_t gigabytes = (end - begin) / kGiB + 2;
    // Per stretch: a page table at either end, page directories, and page-directory pointers.
    frames += 2 + (g_has_1g_pages ? 2 : gigabytes) + gigabytes / 512 + 2;
  });
  const std::uint64_t image = image_range().end - image_range().start;
  return frames + image / (512 * kPageSize) + 4 + kSpareFrames + kStackFrames * kMaxCpus;
}

Hpa new_table() {
  const auto frame = g_pool.allocate();
  ARCHELON_ASSERT(frame.has_value());
  std::memset(to_pointer<void>(*frame), 0, kPageSize);
  return *frame;
}

bool map_image(Tables& to) {
  const auto part = [&](HvaRange range, PageUse use) {
    return range.start == range.end ||
           to.map(range.start, to_hpa(range.start), range.end - range.start, use) == MapResult::kOk;
  };
  return part(image_text(), PageUse::kCode) && part(image_rodata(), PageUse::kConstant) &&
         part(image_data(), PageUse::kData);
}

bool map_locked(Hpa base, std::uint64_t bytes, PageUse use) {
  const std::uint64_t first = align_down(base.value(), kPageSize);
  const std::uint64_t end = align_up(base.value() + bytes, kPageSize);
  if (bytes == 0 || end <= first) {
    return false;
  }
  const SpinlockGuard guard(g_lock);
  return tables().map(to_hva(Hpa(first)), Hpa(first), end - first, use) == MapResult::kOk;
}

// Copies the kernel half of the root and adds the start page, executable, at its own address.
void make_ap_tables() {
  g_ap_start.page_tables = new_table();
  std::memcpy(to_pointer<std::uint64_t>(g_ap_start.page_tables) + 256,
              to_pointer<std::uint64_t>(g_root) + 256, 256 * sizeof(std::uint64_t));
  Tables start(g_memory, g_pool, g_ap_start.page_tables, false);
  ARCHELON_ASSERT(start.map(Hva(g_ap_start.page.value()), g_ap_start.page, kPageSize,
                            PageUse::kCode) == MapResult::kOk);
}

}  // namespace

bool init_paging(boot::MemoryMap& memory) {
  g_has_1g_pages =
      has(arch::cpuid::kExtendedFeatures, &CpuidResult::edx, arch::cpuid::kExt1EdxPage1g);
  constexpr Hpa kLowMegabyte{1U << 20};
  const auto ap_page = memory.take(kPageSize, kPageSize, kLowMegabyte);
  const std::uint64_t frames = frames_needed(memory);
  const auto pool = memory.take(frames * kPageSize, kPageSize, kStartMapped);
  if (!pool || !ap_page) {
    return false;
  }
  g_pool.init(*pool, frames);
  g_root = new_table();
  Tables to = tables();
  bool ok = map_image(to);
  for_each_stretch(memory, [&](Hpa begin, Hpa end) {
    ok = ok && to.map(to_hva(begin), begin, end - begin, PageUse::kData) == MapResult::kOk;
  });
  if (!ok) {
    return false;
  }
  g_ap_start.page = *ap_page;
  make_ap_tables();
  load_paging();
  g_memory.set_end(memory.top_of_ram());
  return true;
}

void load_paging() {
  using namespace arch;
  wrmsr(msr::kEfer, rdmsr(msr::kEfer) | efer::kNxe);
  if (rdmsr(msr::kPat) != msr::kPatReset) {
    wbinvd();
    wrmsr(msr::kPat, msr::kPatReset);
    wbinvd();
  }
  write_cr3(g_root.value());
  write_cr0((read_cr0() | cr0::kWp | cr0::kNe | cr0::kMp) &
            ~(cr0::kCd | cr0::kNw | cr0::kTs | cr0::kEm | cr0::kAm));
  std::uint64_t cr4 = read_cr4() | cr4::kPge | cr4::kMce | cr4::kOsfxsr | cr4::kOsxmmexcpt;
  if (has(cpuid::kStructuredFeatures, &CpuidResult::ebx, cpuid::k7EbxSmep)) {
    cr4 |= cr4::kSmep;
  }
  if (has(cpuid::kStructuredFeatures, &CpuidResult::ebx, cpuid::k7EbxSmap)) {
    cr4 |= cr4::kSmap;
  }
  if (has(cpuid::kStructuredFeatures, &CpuidResult::ecx, cpuid::k7EcxUmip)) {
    cr4 |= cr4::kUmip;
  }
  if (has(cpuid::kFeatures, &CpuidResult::ecx, cpuid::k1EcxXsave)) {
    cr4 |= cr4::kOsxsave;
  }
  write_cr4(cr4);
}

bool map_device(Hpa base, std::uint64_t bytes) {
  return map_locked(base, bytes, PageUse::kDevice);
}
bool map_firmware(Hpa base, std::uint64_t bytes) {
  return map_locked(base, bytes, PageUse::kConstant);
}

bool make_stacks(std::uint32_t index) {
  ARCHELON_ASSERT(index < kMaxCpus);
  const SpinlockGuard guard(g_lock);
  Tables to = tables();
  Hva place(kStackArea + index * kStackStride);
  bool ok = true;
  const auto stack = [&](std::uint64_t size) {
    place += kPageSize;  // the guard
    for (std::uint64_t done = 0; ok && done < size; done += kPageSize) {
      const auto frame = g_pool.allocate();
      ok = frame && to.map(place, *frame, kPageSize, PageUse::kData) == MapResult::kOk;
      place += kPageSize;
    }
    return place;
  };
  PerCpu& owner = cpu(index);
  for (std::size_t i = 0; i < kIstCount; ++i) {
    owner.tss.ist[i] = stack(kIstStackSize).value();
  }
  owner.stack_top = stack(kStackSize);
  static_assert(kStackStride >= kStackSize + kIstCount * kIstStackSize + 4 * kPageSize);
  return ok;
}

void switch_to_own_stack(void (*next)()) {
  asm volatile(
      "movq %0, %%rsp\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "callq *%1\n\t"
      "ud2"
      :
      : "r"(this_cpu().stack_top.value()), "r"(next)
      : "memory");
  __builtin_unreachable();
}

bool is_mapped(Hva address, std::uint64_t bytes) {
  if (g_root == Hpa()) {
    return true;
  }
  const Hva end = address + bytes;
  while (address < end) {
    const auto leaf = tables().walk(address);
    if (!leaf) {
      return false;
    }
    address = address.align_down(leaf->size) + leaf->size;
  }
  return true;
}

ApStartMemory ap_start_memory() {
  return g_ap_start;
}

}  // namespace archelon::hw
