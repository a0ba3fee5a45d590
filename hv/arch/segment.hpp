#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hv/base/bits.hpp"

// Segments as the VMCS holds them, and descriptors as tables in memory hold them.
// SDM vol. 3A, "Segment Descriptors"; vol. 3C, "Guest Register State".
namespace archelon::arch {

// In the order of the VMCS fields and of instruction information.
enum class Segment : std::uint8_t { kEs, kCs, kSs, kDs, kFs, kGs, kLdtr, kTr };
inline constexpr std::size_t kSegmentCount = 8;

[[nodiscard]] constexpr std::string_view name(Segment segment) {
  constexpr std::array<std::string_view, kSegmentCount> kNames = {"ES", "CS", "SS",   "DS",
                                                                  "FS", "GS", "LDTR", "TR"};
  return kNames[static_cast<std::size_t>(segment) % kSegmentCount];
}

// Access rights in the VMCS format: descriptor bits 55:40 with the limit's part masked, and
// bit 16 for "unusable".
namespace ar {
inline constexpr std::uint32_t kType = 0xf;
inline constexpr std::uint32_t kS = 1u << 4;  // code or data; clear for system
inline constexpr std::uint32_t kDpl = 3u << 5;
inline constexpr std::uint32_t kPresent = 1u << 7;
inline constexpr std::uint32_t kAvl = 1u << 12;
inline constexpr std::uint32_t kLong = 1u << 13;
inline constexpr std::uint32_t kDefaultBig = 1u << 14;
inline constexpr std::uint32_t kGranularity = 1u << 15;
inline constexpr std::uint32_t kUnusable = 1u << 16;
inline constexpr std::uint32_t kReserved = 0xfffe0f00u;

// Bits of the type of a code or data segment.
inline constexpr std::uint32_t kAccessed = 1u << 0;
inline constexpr std::uint32_t kWritable = 1u << 1;    // data
inline constexpr std::uint32_t kReadable = 1u << 1;    // code
inline constexpr std::uint32_t kExpandDown = 1u << 2;  // data
inline constexpr std::uint32_t kConforming = 1u << 2;  // code
inline constexpr std::uint32_t kCode = 1u << 3;

inline constexpr std::uint32_t kTypeLdt = 2;
inline constexpr std::uint32_t kTypeBusyTss16 = 3;
inline constexpr std::uint32_t kTypeBusyTss = 11;  // 32-bit, or 64-bit in IA-32e mode

// What a flat segment of each kind has.
inline constexpr std::uint32_t kFlatData = 0xc093;
inline constexpr std::uint32_t kFlatCode32 = 0xc09b;
inline constexpr std::uint32_t kFlatCode64 = 0xa09b;
inline constexpr std::uint32_t kRealData = 0x93;
inline constexpr std::uint32_t kRealCode = 0x9b;
inline constexpr std::uint32_t kVirtual8086 = 0xf3;

[[nodiscard]] constexpr unsigned dpl(std::uint32_t rights) {
  return (rights & kDpl) >> 5;
}
}  // namespace ar

struct SegmentRegister {
  std::uint16_t selector = 0;
  std::uint32_t access_rights = ar::kUnusable;
  std::uint32_t limit = 0;  // in bytes, whatever the granularity bit says
  std::uint64_t base = 0;

  [[nodiscard]] constexpr bool usable() const { return (access_rights & ar::kUnusable) == 0; }
  [[nodiscard]] constexpr unsigned type() const { return access_rights & ar::kType; }
  [[nodiscard]] constexpr unsigned dpl() const { return ar::dpl(access_rights); }
  [[nodiscard]] constexpr unsigned rpl() const { return selector & 3u; }
  constexpr bool operator==(const SegmentRegister&) const = default;
};

struct DescriptorTable {
  std::uint64_t base = 0;
  std::uint32_t limit = 0;
  constexpr bool operator==(const DescriptorTable&) const = default;
};

// The 8 bytes of a descriptor for `segment` (of a system segment in IA-32e mode the lower 8 of 16;
// the upper 8 are base >> 32). A byte-granular limit above 1 MiB loses its low 12 bits.
[[nodiscard]] constexpr std::uint64_t encode_descriptor(const SegmentRegister& segment) {
  const std::uint64_t rights = segment.access_rights & 0xf0ffu;
  const std::uint64_t limit =
      (segment.access_rights & ar::kGranularity) != 0 ? segment.limit >> 12 : segment.limit;
  return bit_field(limit, 15, 0) | (bit_field(segment.base, 23, 0) << 16) | (rights << 40) |
         (bit_field(limit, 19, 16) << 48) | (bit_field(segment.base, 31, 24) << 56);
}

// The segment that loading `selector` with this descriptor gives: limit scaled to bytes; unusable
// when the descriptor is not present.
[[nodiscard]] constexpr SegmentRegister decode_descriptor(std::uint16_t selector,
                                                          std::uint64_t descriptor) {
  const auto rights = static_cast<std::uint32_t>(bit_field(descriptor, 55, 40) & 0xf0ff);
  auto limit = static_cast<std::uint32_t>(bit_field(descriptor, 15, 0) |
                                          (bit_field(descriptor, 51, 48) << 16));
  if ((rights & ar::kGranularity) != 0) {
    limit = (limit << 12) | 0xfff;
  }
  return SegmentRegister{
      .selector = selector,
      .access_rights = (rights & ar::kPresent) != 0 ? rights : (rights | ar::kUnusable),
      .limit = limit,
      .base = bit_field(descriptor, 39, 16) | (bit_field(descriptor, 63, 56) << 24)};
}

}  // namespace archelon::arch
