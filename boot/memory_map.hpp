#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "boot/multiboot2.hpp"
#include "hv/base/address.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::boot {

// What a range of host-physical memory may be used for, from the least to the most restrictive.
enum class MemoryKind : std::uint8_t {
  kUsable,
  kTaken,            // usable RAM that L0 has put to use: its image, modules, tables, pools
  kAcpiReclaimable,  // ACPI tables
  kAcpiNvs,
  kReserved,
  kDefective,
};

[[nodiscard]] std::string_view to_string(MemoryKind kind);

// [begin, end) of host-physical memory.
struct MemoryRange {
  Hpa begin;
  Hpa end;
  MemoryKind kind = MemoryKind::kReserved;

  [[nodiscard]] constexpr std::uint64_t size() const { return end - begin; }
};

// The machine's memory: sorted, disjoint ranges, neighbours of the same kind merged. What no range
// covers is a hole. Where sources contradict each other the more restrictive kind wins, so the
// order in which they are added does not matter. It works before any other allocator exists; keep
// it static, it is large.
class MemoryMap {
 public:
  static constexpr std::size_t kMaxRanges = 512;

  // Adds a range as a firmware states it. One of zero length does nothing; one that wraps around
  // ends at the end of the address space. Usable bytes count from the first to the last whole page.
  void add(Hpa begin, std::uint64_t length, MemoryKind kind);

  // Takes [begin, end), rounded outward to pages, out of the usable memory. Memory of other kinds
  // in it keeps its kind, holes stay holes.
  void reserve(Hpa begin, Hpa end);

  // Takes `size` bytes of usable memory (rounded up to pages), aligned to `alignment` (a power of
  // two), that end at or below `below`: the highest place there is, so that low memory lasts.
  // Nothing where there is none, or on a zero size or a bad alignment.
  [[nodiscard]] std::optional<Hpa> take(std::uint64_t size, std::uint64_t alignment = kPageSize,
                                        Hpa below = Hpa(~std::uint64_t{0}));

  [[nodiscard]] std::size_t size() const { return ranges_.size(); }
  [[nodiscard]] const MemoryRange& operator[](std::size_t i) const { return ranges_[i]; }
  [[nodiscard]] const MemoryRange* begin() const { return ranges_.begin(); }
  [[nodiscard]] const MemoryRange* end() const { return ranges_.end(); }

  // Calls visit(MemoryRange) for each usable range, in ascending order.
  template <class Visit>
  void for_each_usable(Visit visit) const {
    for (const MemoryRange& range : ranges_) {
      if (range.kind == MemoryKind::kUsable) {
        visit(range);
      }
    }
  }

  // True where all of [begin, end) is of `kind`.
  [[nodiscard]] bool is_all(Hpa begin, Hpa end, MemoryKind kind) const;
  [[nodiscard]] std::uint64_t bytes(MemoryKind kind) const;
  // One past the highest RAM of the machine (usable, taken or ACPI reclaimable).
  [[nodiscard]] Hpa top_of_ram() const;
  // Usable bytes given up because the map was full; they are lost, never misused.
  [[nodiscard]] std::uint64_t bytes_lost() const { return lost_; }

 private:
  enum class Holes : bool { kSkip, kFill };

  void paint(Hpa begin, Hpa end, MemoryKind kind, Holes holes);
  void fill_hole(std::size_t index, Hpa begin, Hpa end, MemoryKind kind);
  void restrict(std::size_t index, Hpa begin, Hpa end, MemoryKind kind);
  void merge();

  StaticVector<MemoryRange, kMaxRanges> ranges_;
  std::uint64_t lost_ = 0;
  // A restriction found no room: memory added from now on might be under it, so it is lost.
  bool restriction_lost_ = false;
};

// The kind of an E820 / multiboot2 memory map entry type.
[[nodiscard]] MemoryKind kind_of_e820(std::uint32_t type);
// The kind of an EFI memory type: usable are the conventional, loader and boot services memory
// that holds write-back memory (UEFI, "Memory Type Usage after ExitBootServices()").
[[nodiscard]] MemoryKind kind_of_efi(std::uint32_t type, std::uint64_t attributes);

// Fills `map` from the loader's memory map and the EFI map, whichever are there. False where
// neither names any usable memory.
[[nodiscard]] bool build_memory_map(const BootInfo& info, MemoryMap& map);

}  // namespace archelon::boot
