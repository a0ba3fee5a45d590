#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"

// L0's own 4-level page tables. SDM vol. 3A, "4-Level Paging and 5-Level Paging".
namespace archelon::boot {

namespace pte {
inline constexpr std::uint64_t kPresent = bit(0);
inline constexpr std::uint64_t kWritable = bit(1);
inline constexpr std::uint64_t kWriteThrough = bit(3);
inline constexpr std::uint64_t kCacheDisable = bit(4);
inline constexpr std::uint64_t kAccessed = bit(5);
inline constexpr std::uint64_t kDirty = bit(6);
inline constexpr std::uint64_t kLarge = bit(7);
inline constexpr std::uint64_t kGlobal = bit(8);
inline constexpr std::uint64_t kNoExecute = bit(63);
inline constexpr std::uint64_t kAddress = bit_mask(51, 12);
}  // namespace pte

// What a mapping allows. Nothing is both writable and executable.
enum class PageUse : std::uint8_t { kCode, kConstant, kData, kDevice };

// The bits of a leaf entry but for its address and size. Device memory is uncached: PCD and PWT
// select PAT entry 3, which is UC after reset and as L0 sets it.
[[nodiscard]] constexpr std::uint64_t leaf_bits(PageUse use) {
  constexpr std::uint64_t kCommon = pte::kPresent | pte::kAccessed | pte::kDirty | pte::kGlobal;
  switch (use) {
    case PageUse::kCode:
      return kCommon;
    case PageUse::kConstant:
      return kCommon | pte::kNoExecute;
    case PageUse::kData:
      return kCommon | pte::kNoExecute | pte::kWritable;
    case PageUse::kDevice:
      return kCommon | pte::kNoExecute | pte::kWritable | pte::kCacheDisable | pte::kWriteThrough;
  }
  return 0;
}

enum class MapResult : std::uint8_t {
  kOk,
  kNoFrames,  // out of memory for tables; what was done so far stays
  kConflict,  // a page in the range is mapped elsewhere; the same
  kInvalid,   // not page aligned, not canonical, or wrapping; nothing was done
};

// Builds and reads the tables under `root`, a zeroed frame, through `memory`, which reaches every
// frame that `frames` gives. Neither locks.
template <class M, class Frames>
requires PhysicalMemory<M, Hpa>
class PageTables {
 public:
  struct Leaf {
    Hpa address;          // of the byte asked for
    std::uint64_t entry;  // the leaf as it stands
    std::uint64_t size;   // of its page
  };

  constexpr PageTables(M& memory, Frames& frames, Hpa root, bool has_1g_pages)
      : memory_(&memory), frames_(&frames), root_(root), has_1g_pages_(has_1g_pages) {}

  // Maps `bytes` from `linear` to `physical`, in pages as large as alignment allows. What is
  // already mapped to the same place stays as it is, with its rights.
  MapResult map(Hva linear, Hpa physical, std::uint64_t bytes, PageUse use) {
    if (!linear.is_aligned(kPageSize) || !physical.is_aligned(kPageSize) ||
        !is_aligned(bytes, kPageSize) || bytes == 0 || !is_canonical(linear.value()) ||
        !is_canonical(linear.value() + bytes - 1) ||
        linear.value() + (bytes - 1) < linear.value() ||
        ((physical.value() + (bytes - 1)) & ~(pte::kAddress | (kPageSize - 1))) != 0) {
      return MapResult::kInvalid;
    }
    while (bytes != 0) {
      std::uint64_t step = 0;
      const MapResult result = map_one(linear, physical, bytes, leaf_bits(use), step);
      if (result != MapResult::kOk) {
        return result;
      }
      linear += step;
      physical += step;
      bytes -= step;
    }
    return MapResult::kOk;
  }

  [[nodiscard]] std::optional<Leaf> walk(Hva linear) {
    Hpa table = root_;
    for (unsigned level = 4; level >= 1; --level) {
      const std::uint64_t entry = load(slot(table, linear, level));
      if ((entry & pte::kPresent) == 0) {
        return std::nullopt;
      }
      const std::uint64_t size = page_size(level);
      if (level == 1 || (entry & pte::kLarge) != 0) {
        return Leaf{Hpa((entry & pte::kAddress & ~(size - 1)) + (linear.value() & (size - 1))),
                    entry, size};
      }
      table = Hpa(entry & pte::kAddress);
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint64_t page_size(unsigned level) {
    return std::uint64_t{1} << (12 + 9 * (level - 1));
  }
  static Hpa slot(Hpa table, Hva linear, unsigned level) {
    return table + ((linear.value() >> (12 + 9 * (level - 1))) & 511) * 8;
  }

  // One leaf, at the level that alignment, length and what is there allow; `step` is how far it
  // got.
  MapResult map_one(Hva linear, Hpa physical, std::uint64_t bytes, std::uint64_t bits,
                    std::uint64_t& step) {
    Hpa table = root_;
    for (unsigned level = 4;; --level) {
      const Hpa place = slot(table, linear, level);
      const std::uint64_t size = page_size(level);
      const std::uint64_t entry = load(place);
      const bool present = (entry & pte::kPresent) != 0;
      if (present && (level == 1 || (entry & pte::kLarge) != 0)) {
        const std::uint64_t offset = linear.value() & (size - 1);
        step = size - offset < bytes ? size - offset : bytes;
        return (entry & pte::kAddress & ~(size - 1)) + offset == physical.value()
                   ? MapResult::kOk
                   : MapResult::kConflict;
      }
      if (!present && fits(level, linear, physical, bytes)) {
        store(place, physical.value() | bits | (level == 1 ? 0 : pte::kLarge));
        step = size;
        return MapResult::kOk;
      }
      if (!present) {
        const std::optional<Hpa> frame = frames_->allocate();
        if (!frame) {
          return MapResult::kNoFrames;
        }
        static constexpr std::array<std::byte, kPageSize> kZeros{};
        ARCHELON_ASSERT(memory_->write(*frame, kZeros));
        store(place, frame->value() | pte::kPresent | pte::kWritable | pte::kAccessed);
        table = *frame;
      } else {
        table = Hpa(entry & pte::kAddress);
      }
    }
  }

  [[nodiscard]] bool fits(unsigned level, Hva linear, Hpa physical, std::uint64_t bytes) const {
    const unsigned highest = has_1g_pages_ ? 3 : 2;
    const std::uint64_t size = page_size(level);
    return level <= highest && bytes >= size && linear.is_aligned(size) &&
           physical.is_aligned(size);
  }

  [[nodiscard]] std::uint64_t load(Hpa place) {
    const auto entry = read_value<std::uint64_t>(*memory_, place);
    ARCHELON_ASSERT(entry.has_value());
    return *entry;
  }
  void store(Hpa place, std::uint64_t entry) {
    ARCHELON_ASSERT(write_value(*memory_, place, entry));
  }

  M* memory_;
  Frames* frames_;
  Hpa root_;
  bool has_1g_pages_;
};

}  // namespace archelon::boot
