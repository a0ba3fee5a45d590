#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/base/bits.hpp"

// MSR bitmaps and I/O bitmaps. SDM vol. 3C, "MSR-Bitmap Address", "I/O-Bitmap Addresses".
namespace archelon::vmx {

// 4 KiB of bitmap; the hardware wants it page-aligned.
using BitmapPage = std::array<std::uint64_t, 512>;
static_assert(sizeof(BitmapPage) == 4096);

enum class MsrAccess : std::uint8_t { kRead, kWrite };

// MSRs that the bitmap has bits for. RDMSR and WRMSR of any other always exit.
[[nodiscard]] constexpr bool msr_has_bit(std::uint32_t index) {
  return index <= 0x1fff || (index >= 0xc0000000 && index <= 0xc0001fff);
}

namespace detail {
// Four parts of 1 KiB: read low, read high, write low, write high.
constexpr std::size_t msr_bit(std::uint32_t index, MsrAccess access) {
  const std::size_t part =
      (access == MsrAccess::kWrite ? 2u : 0u) + (index >= 0xc0000000 ? 1u : 0u);
  return part * 8192 + (index & 0x1fff);
}
constexpr bool test_bit(const BitmapPage& page, std::size_t n) {
  return (page[n / 64] & bit(static_cast<unsigned>(n % 64))) != 0;
}
constexpr void assign_bit(BitmapPage& page, std::size_t n, bool value) {
  const std::uint64_t mask = bit(static_cast<unsigned>(n % 64));
  page[n / 64] = value ? (page[n / 64] | mask) : (page[n / 64] & ~mask);
}
}  // namespace detail

// True where an access to `index` exits under this bitmap.
[[nodiscard]] constexpr bool msr_intercepted(const BitmapPage& bitmap, std::uint32_t index,
                                             MsrAccess access) {
  return !msr_has_bit(index) || detail::test_bit(bitmap, detail::msr_bit(index, access));
}

// Sets or clears an intercept; false, and nothing changed, for an MSR that has no bit.
constexpr bool set_msr_intercept(BitmapPage& bitmap, std::uint32_t index, MsrAccess access,
                                 bool intercept) {
  if (!msr_has_bit(index)) {
    return false;
  }
  detail::assign_bit(bitmap, detail::msr_bit(index, access), intercept);
  return true;
}

// True where an access of `size` bytes (1, 2, 4) at `port` exits: when any port that it touches
// has its bit set, or it runs past port FFFFH. `a` covers ports 0-7FFFH, `b` 8000H-FFFFH.
[[nodiscard]] constexpr bool io_intercepted(const BitmapPage& a, const BitmapPage& b,
                                            std::uint16_t port, unsigned size) {
  if (port + size > 0x10000u) {
    return true;
  }
  for (unsigned i = 0; i < size; ++i) {
    const unsigned p = port + i;
    if (detail::test_bit(p < 0x8000 ? a : b, p & 0x7fff)) {
      return true;
    }
  }
  return false;
}

constexpr void set_io_intercept(BitmapPage& a, BitmapPage& b, std::uint16_t port, bool intercept) {
  detail::assign_bit(port < 0x8000 ? a : b, port & 0x7fffu, intercept);
}

// What either bitmap intercepts.
constexpr void unite(BitmapPage& out, const BitmapPage& first, const BitmapPage& second) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = first[i] | second[i];
  }
}

}  // namespace archelon::vmx
