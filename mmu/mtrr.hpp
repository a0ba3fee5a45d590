#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/static_vector.hpp"
#include "mmu/memory_type.hpp"

namespace archelon::mmu {

// The memory types that a CPU's MTRRs give to physical addresses.
// SDM vol. 3A, "Memory Type Range Registers (MTRRs)".
struct Mtrrs {
  struct Variable {
    std::uint64_t base = 0;  // IA32_MTRR_PHYSBASEn
    std::uint64_t mask = 0;  // IA32_MTRR_PHYSMASKn
  };

  std::uint64_t default_type = 0;  // IA32_MTRR_DEF_TYPE
  // FIX64K_00000, FIX16K_80000, FIX16K_A0000, FIX4K_C0000 .. FIX4K_F8000.
  std::array<std::uint64_t, 11> fixed{};
  StaticVector<Variable, 32> variable;
  unsigned physical_bits = 36;

  static constexpr std::uint64_t kFixedEnable = bit(10);
  static constexpr std::uint64_t kEnable = bit(11);
  static constexpr std::uint64_t kMaskValid = bit(11);
};

namespace detail {

inline constexpr std::uint64_t kFixedEnd = 0x10'0000;

struct FixedRange {
  unsigned reg;
  unsigned byte;
  std::uint64_t bytes;
};

// The fixed-range register and the byte in it for an address below 1 MByte.
[[nodiscard]] constexpr FixedRange fixed_range(std::uint64_t address) {
  if (address < 0x8'0000) {
    return {0, static_cast<unsigned>(address >> 16), 0x1'0000};
  }
  if (address < 0xc'0000) {
    const auto n = static_cast<unsigned>((address - 0x8'0000) >> 14);
    return {1 + n / 8, n % 8, 0x4000};
  }
  const auto n = static_cast<unsigned>((address - 0xc'0000) >> 12);
  return {3 + n / 8, n % 8, 0x1000};
}

// Combines the types of overlapping variable ranges: uncacheable wins, write-through wins over
// write-back; other mixtures are undefined, and uncacheable is the safe reading of them. SDM, "MTRR
// Precedences".
[[nodiscard]] constexpr MemoryType combine_overlap(MemoryType a, MemoryType b) {
  using enum MemoryType;
  if (a == b) {
    return a;
  }
  const bool cached =
      (a == kWriteBack || a == kWriteThrough) && (b == kWriteBack || b == kWriteThrough);
  return cached ? kWriteThrough : kUncacheable;
}

// A type field of a register; a reserved encoding, which WRMSR refuses, reads as uncacheable.
[[nodiscard]] constexpr MemoryType decode_type(std::uint64_t field) {
  return is_memory_type(field) ? static_cast<MemoryType>(field) : MemoryType::kUncacheable;
}

}  // namespace detail

// The type of the byte at `address`.
[[nodiscard]] constexpr MemoryType memory_type(const Mtrrs& mtrrs, Hpa address) {
  if ((mtrrs.default_type & Mtrrs::kEnable) == 0) {
    return MemoryType::kUncacheable;
  }
  const std::uint64_t a = address.value();
  if (a < detail::kFixedEnd && (mtrrs.default_type & Mtrrs::kFixedEnable) != 0) {
    const auto range = detail::fixed_range(a);
    return detail::decode_type((mtrrs.fixed[range.reg] >> (8 * range.byte)) & 0xff);
  }
  const std::uint64_t significant = bit_mask(mtrrs.physical_bits - 1, 12);
  std::optional<MemoryType> type;
  for (const auto& range : mtrrs.variable) {
    const std::uint64_t mask = range.mask & significant;
    if ((range.mask & Mtrrs::kMaskValid) == 0 || (a & mask) != (range.base & mask)) {
      continue;
    }
    const MemoryType own = detail::decode_type(range.base & 0xff);
    type = type ? detail::combine_overlap(*type, own) : own;
  }
  return type.value_or(detail::decode_type(mtrrs.default_type & 0xff));
}

// The type of a whole range (at least one byte), nothing where it has several: then a large page
// must not cover it.
//
// A variable range may have a mask with holes, so its type can change at every multiple of the
// lowest bit of any mask: the range is looked at in steps of that, which for the ranges that
// firmware sets up are large.
[[nodiscard]] constexpr std::optional<MemoryType> uniform_memory_type(const Mtrrs& mtrrs, Hpa base,
                                                                      std::uint64_t bytes) {
  const std::uint64_t first = base.value();
  const std::uint64_t last = first + bytes - 1;
  const std::uint64_t significant = bit_mask(mtrrs.physical_bits - 1, 12);
  std::uint64_t finest = bit(63);
  for (const auto& range : mtrrs.variable) {
    const std::uint64_t mask = range.mask & significant;
    if ((range.mask & Mtrrs::kMaskValid) != 0 && mask != 0) {
      finest = std::min(finest, mask & (~mask + 1));
    }
  }
  const MemoryType type = memory_type(mtrrs, base);
  for (std::uint64_t at = first;;) {
    const std::uint64_t step =
        at < detail::kFixedEnd ? std::min(finest, detail::fixed_range(at).bytes) : finest;
    const std::uint64_t next = align_down(at, step) + step;
    if (next <= at || next > last) {
      return type;
    }
    at = next;
    if (memory_type(mtrrs, Hpa(at)) != type) {
      return std::nullopt;
    }
  }
}

}  // namespace archelon::mmu
