#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/byte_reader.hpp"

namespace archelon::guest {

enum class KernelKind : std::uint8_t { kUnknown, kGzip, kLinux, kMultiboot1, kMultiboot2 };

inline constexpr std::uint32_t kMultiboot1HeaderMagic = 0x1BAD'B002;
inline constexpr std::uint32_t kMultiboot2HeaderMagic = 0xE852'50D6;

// The offset of the multiboot 1 header: in the first 8192 bytes, 4-byte aligned, its first three
// words summing up to 0 (Multiboot Specification 0.6.96, "The layout of Multiboot header").
[[nodiscard]] inline std::optional<std::size_t> find_multiboot1_header(
    std::span<const std::byte> image) {
  constexpr std::size_t kSearched = 8192;
  const ByteReader reader(image.first(image.size() < kSearched ? image.size() : kSearched));
  for (std::size_t at = 0; at + 12 <= reader.size(); at += 4) {
    const std::uint32_t magic = *reader.get<std::uint32_t>(at);
    if (magic == kMultiboot1HeaderMagic &&
        magic + *reader.get<std::uint32_t>(at + 4) + *reader.get<std::uint32_t>(at + 8) == 0) {
      return at;
    }
  }
  return std::nullopt;
}

// The offset of the multiboot 2 header: wholly in the first 32768 bytes, 8-byte aligned, its first
// four words summing up to 0 (Multiboot2 Specification, "The layout of Multiboot2 header").
[[nodiscard]] inline std::optional<std::size_t> find_multiboot2_header(
    std::span<const std::byte> image) {
  constexpr std::size_t kSearched = 32768;
  const ByteReader reader(image.first(image.size() < kSearched ? image.size() : kSearched));
  for (std::size_t at = 0; at + 16 <= reader.size(); at += 8) {
    const std::uint32_t magic = *reader.get<std::uint32_t>(at);
    if (magic == kMultiboot2HeaderMagic && magic + *reader.get<std::uint32_t>(at + 4) +
                                                   *reader.get<std::uint32_t>(at + 8) +
                                                   *reader.get<std::uint32_t>(at + 12) ==
                                               0) {
      return at;
    }
  }
  return std::nullopt;
}

// What a kernel file is, by its content alone. A file with headers of several kinds is taken for
// the richest: Linux, then multiboot 2, then multiboot 1.
[[nodiscard]] inline KernelKind kernel_kind(std::span<const std::byte> image) {
  const ByteReader reader(image);
  if (reader.get<std::uint16_t>(0x1FE) == 0xAA55 &&
      reader.get<std::uint32_t>(0x202) == 0x5372'6448) {  // "HdrS"
    return KernelKind::kLinux;
  }
  if (find_multiboot2_header(image)) {
    return KernelKind::kMultiboot2;
  }
  if (find_multiboot1_header(image)) {
    return KernelKind::kMultiboot1;
  }
  return reader.get<std::uint16_t>(0) == 0x8B1F ? KernelKind::kGzip : KernelKind::kUnknown;
}

}  // namespace archelon::guest
