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

// The RAM of one VM: ranges of L1 physical addresses, each backed by a contiguous range of machine
// memory which L0 sees through its direct map. Immutable once the VM runs, so it needs no lock.
// Satisfies PhysicalMemory over Gpa1; everything outside the ranges is not RAM.
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
  [[nodiscard]] const auto& ranges() const { return ranges_; }
  void clear() { ranges_.clear(); }

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
    const Hva hva = direct_map_ + (range->backing + (address - range->start)).value();
    return reinterpret_cast<std::byte*>(hva.value());
  }

  [[nodiscard]] bool read(Gpa1 address, std::span<std::byte> out) const {
    return pieces(address, out.size(), [&](const std::byte* at, std::size_t done, std::size_t n) {
      std::memcpy(out.data() + done, at, n);
    });
  }
  [[nodiscard]] bool write(Gpa1 address, std::span<const std::byte> in) const {
    return pieces(address, in.size(), [&](std::byte* at, std::size_t done, std::size_t n) {
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
  [[nodiscard]] const Range* find(Gpa1 address) const {
    for (const Range& range : ranges_) {
      if (address >= range.start && address - range.start < range.size) {
        return &range;
      }
    }
    return nullptr;
  }

  template <class Copy>
  bool pieces(Gpa1 address, std::size_t size, Copy copy) const {
    std::size_t done = 0;
    while (done < size) {
      const Range* range = find(address + done);
      if (range == nullptr) {
        return false;
      }
      const std::uint64_t offset = address + done - range->start;
      const auto n = static_cast<std::size_t>(
          std::min<std::uint64_t>(size - done, range->size - offset));
      const Hva hva = direct_map_ + (range->backing + offset).value();
      copy(reinterpret_cast<std::byte*>(hva.value()), done, n);
      done += n;
    }
    return true;
  }

  Hva direct_map_;
  StaticVector<Range, kMaxRanges> ranges_;
};

}  // namespace archelon::hv
