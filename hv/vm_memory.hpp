#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::hv {

// The memory of one VM: ranges of L1 physical addresses, each backed by a contiguous range of
// machine memory which L0 sees through its direct map. Immutable once the VM runs, so it needs no
// lock. Satisfies PhysicalMemory over Gpa1. ROM can be read and nothing else; what is outside all
// ranges is no memory.
class VmMemory {
 public:
  struct Range {
    Gpa1 start;
    std::uint64_t size = 0;
    Hpa backing;
  };
  static constexpr std::size_t kMaxRanges = 16;

  constexpr VmMemory() = default;
  // `direct_map`: the Hva at which machine address 0 is seen.
  constexpr explicit VmMemory(Hva direct_map) : direct_map_(direct_map) {}

  // False when there are too many ranges.
  [[nodiscard]] bool add(const Range& range) { return ranges_.push_back(range); }
  // One range that the guest can read but not write.
  void set_rom(const Range& range) { rom_ = range; }
  // The RAM.
  [[nodiscard]] const auto& ranges() const { return ranges_; }
  [[nodiscard]] const Range& rom() const { return rom_; }

  // The machine address behind `address`, if that byte is RAM.
  [[nodiscard]] std::optional<Hpa> translate(Gpa1 address) const {
    const Range* range = find(address);
    if (range == nullptr) {
      return std::nullopt;
    }
    return range->backing + (address - range->start);
  }

  // L0's pointer to the `size` bytes at `address` if all of them are RAM of one range. What it
  // points to is shared with the guest: copy, then check the copy.
  [[nodiscard]] std::byte* pointer(Gpa1 address, std::uint64_t size) const {
    const Range* range = find(address);
    if (range == nullptr || range->size - (address - range->start) < size) {
      return nullptr;
    }
    return pointer(*range, address);
  }

  [[nodiscard]] bool read(Gpa1 address, std::span<std::byte> out) const {
    return pieces<true>(address, out.size(),
                        [&](const std::byte* at, std::size_t done, std::size_t n) {
                          std::memcpy(out.data() + done, at, n);
                        });
  }
  [[nodiscard]] bool write(Gpa1 address, std::span<const std::byte> in) const {
    return pieces<false>(address, in.size(), [&](std::byte* at, std::size_t done, std::size_t n) {
      std::memcpy(at, in.data() + done, n);
    });
  }

  // Compare-and-exchange of an aligned 64-bit word of RAM, for accessed and dirty bits.
  [[nodiscard]] bool compare_exchange(Gpa1 address, std::uint64_t expected,
                                      std::uint64_t desired) const {
    std::byte* at = address.is_aligned(8) ? pointer(address, 8) : nullptr;
    return at != nullptr &&
           __atomic_compare_exchange_n(reinterpret_cast<std::uint64_t*>(at), &expected, desired,
                                       false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  }

 private:
  [[nodiscard]] static bool contains(const Range& range, Gpa1 address) {
    return address >= range.start && address - range.start < range.size;
  }
  [[nodiscard]] const Range* find(Gpa1 address) const {
    for (const Range& range : ranges_) {
      if (contains(range, address)) {
        return &range;
      }
    }
    return nullptr;
  }
  [[nodiscard]] const Range* find_readable(Gpa1 address) const {
    const Range* range = find(address);
    return range == nullptr && contains(rom_, address) ? &rom_ : range;
  }
  [[nodiscard]] std::byte* pointer(const Range& range, Gpa1 address) const {
    const Hva hva = direct_map_ + (range.backing + (address - range.start)).value();
    return reinterpret_cast<std::byte*>(hva.value());
  }

  template <bool kRead, class Copy>
  bool pieces(Gpa1 address, std::size_t size, Copy copy) const {
    std::size_t done = 0;
    while (done < size) {
      const Gpa1 at = address + done;
      const Range* range = kRead ? find_readable(at) : find(at);
      if (range == nullptr) {
        return false;
      }
      const auto n = static_cast<std::size_t>(
          std::min<std::uint64_t>(size - done, range->size - (at - range->start)));
      copy(pointer(*range, at), done, n);
      done += n;
    }
    return true;
  }

  Hva direct_map_;
  StaticVector<Range, kMaxRanges> ranges_;
  Range rom_;
};

}  // namespace archelon::hv
