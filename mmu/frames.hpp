#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::mmu {

// Where page tables get their 4-KByte frames from. The content of a frame handed out is undefined;
// zero_frame() is the caller's choice.
template <class F>
concept FrameSource = requires(F source, Hpa frame) {
  { source.allocate() } -> std::same_as<std::optional<Hpa>>;
  { source.free(frame) } -> std::same_as<void>;
};

struct HpaRange {
  Hpa base;
  std::uint64_t bytes = 0;

  bool operator==(const HpaRange&) const = default;
};

struct FrameStats {
  std::uint64_t total = 0;        // frames that can be handed out
  std::uint64_t free = 0;         // of these, not handed out now
  std::uint64_t metadata = 0;     // frames kept for the allocator's own bitmaps
  std::uint64_t lowest_free = 0;  // least value of `free` seen
  std::uint64_t failures = 0;     // requests refused
};

// Fills one frame with zeros; false where it is not memory.
template <class M>
requires PhysicalMemory<M, Hpa>
[[nodiscard]] bool zero_frame(M& memory, Hpa frame) {
  static constexpr std::array<std::byte, kPageSize> kZeros{};
  return memory.write(frame, kZeros);
}

// L0's allocator of physical memory: single frames for tables, aligned contiguous ranges for VMs.
//
// One bit per frame (1 = taken), kept in the first frames of each range fed in, reached through
// M. Single frames come from the bottom of a range and contiguous ones from its top, so that tables
// do not break up the memory of VMs. No locking inside: the owner serialises all calls.
template <class M>
requires PhysicalMemory<M, Hpa>
class FrameAllocator {
 public:
  static constexpr std::size_t kMaxRanges = 64;

  constexpr explicit FrameAllocator(M& memory) : memory_(&memory) {}

  // Feeds usable RAM. Partial pages at the ends are left out. False, with nothing changed, where
  // nothing would be left after the bitmap, the range overlaps an earlier one, or there are too
  // many.
  [[nodiscard]] bool add_range(Hpa base, std::uint64_t bytes) {
    if (bytes > ~std::uint64_t{0} - base.value() - kPageSize || regions_.full()) {
      return false;
    }
    const std::uint64_t begin = align_up(base.value(), kPageSize) / kPageSize;
    const std::uint64_t end = align_down(base.value() + bytes, kPageSize) / kPageSize;
    if (begin >= end || overlaps(begin, end)) {
      return false;
    }
    Region region;
    region.first = align_down(begin, kWordBits);
    region.words = (align_up(end, kWordBits) - region.first) / kWordBits;
    region.bitmap = Hpa(begin * kPageSize);
    const std::uint64_t metadata =
        align_up(region.words * sizeof(std::uint64_t), kPageSize) / kPageSize;
    if (metadata >= end - begin) {
      return false;
    }
    region.begin = begin + metadata;
    region.end = end;
    for (std::uint64_t w = 0; w < region.words; ++w) {
      store_word(region, w, ~std::uint64_t{0});
    }
    mark(region, region.begin, region.end - region.begin, /*taken=*/false);
    ARCHELON_ASSERT(regions_.push_back(region));
    stats_.total += region.end - region.begin;
    stats_.free += region.end - region.begin;
    stats_.metadata += metadata;
    stats_.lowest_free = stats_.free;
    return true;
  }

  // One 4-KByte frame, content undefined.
  [[nodiscard]] std::optional<Hpa> allocate() {
    for (Region& region : regions_) {
      for (; region.hint < region.words; ++region.hint) {
        const std::uint64_t word = load_word(region, region.hint);
        if (word == ~std::uint64_t{0}) {
          continue;
        }
        const auto free_bit = static_cast<unsigned>(std::countr_one(word));
        store_word(region, region.hint, word | bit(free_bit));
        count_taken(1);
        return Hpa((region.first + region.hint * kWordBits + free_bit) * kPageSize);
      }
    }
    ++stats_.failures;
    return std::nullopt;
  }

  // Takes back what allocate() gave. A frame that is not out is a fault of L0's own.
  void free(Hpa frame) { ARCHELON_ASSERT(try_free({frame, kPageSize})); }

  // `bytes` (a multiple of 4 KByte) of contiguous memory at a multiple of `alignment` (a power of
  // two, at least 4 KByte); content undefined.
  [[nodiscard]] std::optional<Hpa> allocate_contiguous(std::uint64_t bytes,
                                                       std::uint64_t alignment) {
    ARCHELON_ASSERT(bytes > 0 && is_aligned(bytes, kPageSize));
    ARCHELON_ASSERT(alignment >= kPageSize && is_power_of_two(alignment));
    for (Region& region : regions_) {
      if (const auto frame = highest_run(region, bytes / kPageSize, alignment / kPageSize)) {
        mark(region, *frame, bytes / kPageSize, /*taken=*/true);
        count_taken(bytes / kPageSize);
        return Hpa(*frame * kPageSize);
      }
    }
    ++stats_.failures;
    return std::nullopt;
  }

  // The longest contiguous memory there is, in whole blocks of `block` bytes aligned to their size
  // and at most `max_bytes`. A VM's memory is gathered by calling this until it has enough.
  [[nodiscard]] std::optional<HpaRange> allocate_largest(std::uint64_t max_bytes,
                                                         std::uint64_t block) {
    ARCHELON_ASSERT(block >= kPageSize && is_power_of_two(block));
    const std::uint64_t step = block / kPageSize;
    Run best;
    Region* owner = nullptr;
    for (Region& region : regions_) {
      const Run run = longest_run(region, align_down(max_bytes, block) / kPageSize, step);
      if (run.frames > best.frames) {
        best = run;
        owner = &region;
      }
    }
    if (owner == nullptr) {
      ++stats_.failures;
      return std::nullopt;
    }
    mark(*owner, best.first, best.frames, /*taken=*/true);
    count_taken(best.frames);
    return HpaRange{Hpa(best.first * kPageSize), best.frames * kPageSize};
  }

  void free_contiguous(HpaRange range) { ARCHELON_ASSERT(try_free(range)); }

  // As free and free_contiguous, but answers false, with nothing changed, unless every frame of
  // the range is out.
  [[nodiscard]] bool try_free(HpaRange range) {
    const std::uint64_t frame = range.base.value() / kPageSize;
    const std::uint64_t count = range.bytes / kPageSize;
    if (!range.base.is_aligned(kPageSize) || !is_aligned(range.bytes, kPageSize) || count == 0) {
      return false;
    }
    for (Region& region : regions_) {
      if (frame < region.begin || frame >= region.end) {
        continue;
      }
      if (count > region.end - frame || highest_in_state(region, frame, count, /*taken=*/false)) {
        return false;
      }
      mark(region, frame, count, /*taken=*/false);
      region.hint = std::min(region.hint, (frame - region.first) / kWordBits);
      stats_.free += count;
      return true;
    }
    return false;
  }

  [[nodiscard]] const FrameStats& stats() const { return stats_; }

 private:
  static constexpr std::uint64_t kWordBits = 64;

  // All but `bitmap` in frame numbers. The bitmap starts at `first`, a multiple of 64, so that a
  // word covers an aligned group of frames; what lies outside begin..end is marked taken.
  struct Region {
    std::uint64_t first = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t words = 0;
    std::uint64_t hint = 0;  // no free frame in the words below
    Hpa bitmap;
  };

  struct Run {
    std::uint64_t first = 0;
    std::uint64_t frames = 0;
  };

  [[nodiscard]] std::uint64_t load_word(const Region& region, std::uint64_t w) const {
    const auto word = read_value<std::uint64_t>(*memory_, region.bitmap + w * 8);
    ARCHELON_ASSERT(word.has_value());
    return *word;
  }

  void store_word(const Region& region, std::uint64_t w, std::uint64_t word) {
    ARCHELON_ASSERT(write_value(*memory_, region.bitmap + w * 8, word));
  }

  [[nodiscard]] bool overlaps(std::uint64_t begin, std::uint64_t end) const {
    for (const Region& region : regions_) {
      if (begin < region.end && region.bitmap.value() / kPageSize < end) {
        return true;
      }
    }
    return false;
  }

  void count_taken(std::uint64_t frames) {
    stats_.free -= frames;
    stats_.lowest_free = std::min(stats_.lowest_free, stats_.free);
  }

  // The bits of bitmap word `w` that stand for frames of [frame, frame + count).
  [[nodiscard]] static std::uint64_t word_mask(const Region& region, std::uint64_t w,
                                               std::uint64_t frame, std::uint64_t count) {
    const std::uint64_t base = region.first + w * kWordBits;
    const std::uint64_t low = std::max(frame, base) - base;
    const std::uint64_t high = std::min(frame + count, base + kWordBits) - base - 1;
    return bit_mask(static_cast<unsigned>(high), static_cast<unsigned>(low));
  }

  void mark(const Region& region, std::uint64_t frame, std::uint64_t count, bool taken) {
    const std::uint64_t last = (frame + count - 1 - region.first) / kWordBits;
    for (std::uint64_t w = (frame - region.first) / kWordBits; w <= last; ++w) {
      const std::uint64_t mask = word_mask(region, w, frame, count);
      const std::uint64_t word = load_word(region, w);
      store_word(region, w, taken ? word | mask : word & ~mask);
    }
  }

  // The highest frame of [frame, frame + count) that is taken (or free).
  [[nodiscard]] std::optional<std::uint64_t> highest_in_state(const Region& region,
                                                              std::uint64_t frame,
                                                              std::uint64_t count,
                                                              bool taken) const {
    const std::uint64_t lowest = (frame - region.first) / kWordBits;
    for (std::uint64_t w = (frame + count - 1 - region.first) / kWordBits + 1; w-- > lowest;) {
      const std::uint64_t word = load_word(region, w);
      const std::uint64_t hits = (taken ? word : ~word) & word_mask(region, w, frame, count);
      if (hits != 0) {
        return region.first + w * kWordBits + 63 - static_cast<unsigned>(std::countl_zero(hits));
      }
    }
    return std::nullopt;
  }

  // The highest free run of `count` frames that starts at a multiple of `step`.
  [[nodiscard]] std::optional<std::uint64_t> highest_run(const Region& region, std::uint64_t count,
                                                         std::uint64_t step) const {
    std::uint64_t end = region.end;
    while (end >= count) {
      const std::uint64_t start = align_down(end - count, step);
      if (start < region.begin) {
        return std::nullopt;
      }
      const auto taken = highest_in_state(region, start, count, /*taken=*/true);
      if (!taken) {
        return start;
      }
      end = *taken;
    }
    return std::nullopt;
  }

  // The longest run of free blocks of `step` frames, no longer than `max` (a multiple of `step`).
  [[nodiscard]] Run longest_run(const Region& region, std::uint64_t max, std::uint64_t step) const {
    Run best;
    Run run;
    for (std::uint64_t end = align_down(region.end, step); end >= region.begin + step;) {
      const std::uint64_t start = end - step;
      const auto taken = highest_in_state(region, start, step, /*taken=*/true);
      if (taken) {
        run = {};
        end = align_down(*taken, step);
        continue;
      }
      run = {start, run.frames + step};
      end = start;
      if (run.frames > best.frames && run.frames <= max) {
        best = run;
      }
      if (best.frames == max) {
        break;
      }
    }
    return best;
  }

  M* memory_;
  StaticVector<Region, kMaxRanges> regions_;
  FrameStats stats_;
};

}  // namespace archelon::mmu
