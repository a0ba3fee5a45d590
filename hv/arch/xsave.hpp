#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>

#include "hv/base/bits.hpp"

// Sizes of XSAVE areas as CPUID leaf 0DH describes their components. SDM vol. 1, "Managing State
// Using the XSAVE Feature Set".
namespace archelon::arch {

// Answers CPUID 0DH with a subleaf (a component's number, from 2): its size in EAX, its offset in
// the standard format in EBX, and in bit 1 of ECX whether the compacted format aligns it.
template <class L>
concept XsaveLeaf = requires(L leaf, std::uint32_t component) {
  { leaf(component).eax } -> std::convertible_to<std::uint32_t>;
  { leaf(component).ebx } -> std::convertible_to<std::uint32_t>;
  { leaf(component).ecx } -> std::convertible_to<std::uint32_t>;
};

inline constexpr std::uint32_t kXsaveLegacySize = 576;  // legacy region and XSAVE header

namespace detail {
template <class F>
constexpr void for_each_xsave_component(std::uint64_t components, F visit) {
  for (std::uint32_t i = 2; i < 63; ++i) {
    if ((components & bit(i)) != 0) {
      visit(i);
    }
  }
}
}  // namespace detail

// Bytes of an area in standard format with all of `components` (bits as in XCR0 and IA32_XSS).
template <XsaveLeaf L>
[[nodiscard]] constexpr std::uint32_t standard_xsave_size(std::uint64_t components, L leaf) {
  std::uint32_t size = kXsaveLegacySize;
  detail::for_each_xsave_component(components, [&](std::uint32_t i) {
    const auto component = leaf(i);
    size = std::max<std::uint32_t>(size, component.ebx + component.eax);
  });
  return size;
}

// The same in compacted format, where each component follows the one before it.
template <XsaveLeaf L>
[[nodiscard]] constexpr std::uint32_t compacted_xsave_size(std::uint64_t components, L leaf) {
  constexpr std::uint32_t kAligned = 1u << 1;
  std::uint32_t size = kXsaveLegacySize;
  detail::for_each_xsave_component(components, [&](std::uint32_t i) {
    const auto component = leaf(i);
    if ((component.ecx & kAligned) != 0) {
      size = static_cast<std::uint32_t>(align_up(size, 64));
    }
    size += component.eax;
  });
  return size;
}

}  // namespace archelon::arch
