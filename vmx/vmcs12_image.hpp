#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "vmx/fields.hpp"
#include "vmx/l1_capabilities.hpp"

namespace archelon::vmx {

// A VMCS region in L1's memory: 4 KiB, whose first two words are architectural and the rest ours.
// SDM vol. 3C, "Format of the VMCS Region".
namespace vmcs_region {
inline constexpr std::uint64_t kSize = 4096;
inline constexpr std::uint64_t kRevisionOffset = 0;  // bit 31: shadow-VMCS indicator
inline constexpr std::uint64_t kAbortOffset = 4;
inline constexpr std::uint64_t kImageOffset = 8;
inline constexpr std::uint32_t kShadowIndicator = std::uint32_t{1} << 31;
}  // namespace vmcs_region

enum class LaunchState : std::uint32_t { kClear = 0, kLaunched = 1 };

// Our part of the region: VMCS12 while it is in L1's memory. L1 can write there whatever it likes;
// whoever reads it back calls sanitize() on its copy before use.
struct Vmcs12Image {
  // Says that the rest was written by this layout of ours; anything else loads as all zeros.
  static constexpr std::uint64_t kMagic = 0x3231'5343'4d56'0000 | (kVmcs12Revision & 0xffff);

  std::uint64_t magic = kMagic;
  LaunchState launch_state = LaunchState::kClear;
  std::uint32_t reserved = 0;
  std::array<std::uint64_t, kFieldCount> values{};

  // Makes any bytes a valid image: unknown layouts become a cleared, all-zero VMCS; values are cut
  // to their fields' widths.
  void sanitize();
};
static_assert(std::is_trivially_copyable_v<Vmcs12Image> && std::is_standard_layout_v<Vmcs12Image>);
static_assert(offsetof(Vmcs12Image, launch_state) == 8);
static_assert(offsetof(Vmcs12Image, values) == 16);
static_assert(vmcs_region::kImageOffset + sizeof(Vmcs12Image) <= vmcs_region::kSize);

inline constexpr std::uint64_t kLaunchStateOffset =
    vmcs_region::kImageOffset + offsetof(Vmcs12Image, launch_state);

// `value` cut to the width of the field `encoding`.
[[nodiscard]] constexpr std::uint64_t cut_to_width(std::uint32_t encoding, std::uint64_t value) {
  switch (field_width(encoding)) {
    case FieldWidth::k16:
      return value & 0xffff;
    case FieldWidth::k32:
      return value & 0xffffffff;
    case FieldWidth::k64:
    case FieldWidth::kNatural:
      return value;
  }
  return value;
}

}  // namespace archelon::vmx
