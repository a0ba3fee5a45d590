#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hv/base/address.hpp"
#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::boot {

// EAX at entry from a multiboot2 boot loader (multiboot2 specification, "I386 machine state").
inline constexpr std::uint32_t kMultiboot2Magic = 0x36d7'6289;
// No real loader comes near this; a larger total size is a broken pointer or header.
inline constexpr std::uint32_t kMaxBootInformationSize = 1U << 20;
inline constexpr std::size_t kMaxModules = 64;
inline constexpr std::size_t kMaxMemoryMapEntries = 256;

// The string views and spans below point into the boot information itself, which therefore must
// stay mapped and reserved as long as the BootInfo is used.

// A file loaded by GRUB; `end` is one past its last byte.
struct BootModule {
  Hpa start;
  Hpa end;
  std::string_view string;

  [[nodiscard]] constexpr std::uint64_t size() const { return end - start; }
};

// One entry of the loader's memory map as it stands: not checked, not sorted. `type` is the E820
// type (1 available, 3 ACPI reclaimable, 4 ACPI NVS, 5 defective, all else reserved).
struct RawMemoryMapEntry {
  Hpa base;
  std::uint64_t length = 0;
  std::uint32_t type = 0;
};

// The EFI memory map: descriptors of `descriptor_size` bytes each (UEFI, "EFI_MEMORY_DESCRIPTOR").
struct EfiMemoryMap {
  std::span<const std::byte> bytes;
  std::uint32_t descriptor_size = 0;
};

// Amounts of memory in bytes below 640 KiB and from 1 MiB up to the first hole.
struct BasicMemory {
  std::uint64_t lower = 0;
  std::uint64_t upper = 0;
};

enum class FramebufferKind : std::uint8_t { kRgb, kEgaText };

struct ColourField {
  std::uint8_t position = 0;
  std::uint8_t size = 0;
};

// Width and height are pixels (characters for EGA text); pitch is bytes per line.
struct Framebuffer {
  Hpa base;
  std::uint32_t pitch = 0;
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint8_t bits_per_pixel = 0;
  FramebufferKind kind = FramebufferKind::kEgaText;
  ColourField red, green, blue;

  [[nodiscard]] constexpr std::uint64_t size() const { return std::uint64_t{pitch} * height; }
};

// What is wrong, in words, and where: the byte offset of the tag in the boot information.
struct BootProblem {
  std::string_view text;
  std::uint32_t tag_type = 0;
  std::uint32_t offset = 0;
};

struct BootInfo {
  std::string_view command_line;
  std::string_view loader_name;
  StaticVector<BootModule, kMaxModules> modules;
  StaticVector<RawMemoryMapEntry, kMaxMemoryMapEntries> memory_map;
  std::optional<BasicMemory> basic_memory;
  std::optional<EfiMemoryMap> efi_memory_map;
  std::optional<Framebuffer> framebuffer;
  std::span<const std::byte> rsdp_old;  // ACPI 1.0 RSDP copy, empty when absent
  std::span<const std::byte> rsdp_new;  // ACPI 2.0 RSDP copy, empty when absent
  std::optional<Hpa> efi_system_table;  // EFI 64-bit system table
  std::optional<Hpa> image_load_base;
  bool efi_boot_services_active = false;

  // Flaws that left the rest usable: the tag or entry concerned was skipped.
  StaticVector<BootProblem, 16> problems;
  std::uint32_t problems_dropped = 0;
};

// The total size stated by the first 8 bytes of the boot information, where it is plausible; the
// caller maps that much and hands it to parse_multiboot2.
[[nodiscard]] std::optional<std::uint32_t> multiboot2_total_size(std::span<const std::byte> header);

// Reads the boot information `bytes` (at least its total size) that a loader left with `magic` in
// EAX. Any content is safe. An error means that nothing can be relied upon; smaller flaws are in
// info.problems. `info` is large: keep it static. Source: Multiboot2 specification, "Boot
// information format".
[[nodiscard]] Status<BootProblem> parse_multiboot2(std::uint32_t magic,
                                                   std::span<const std::byte> bytes,
                                                   BootInfo& info);

}  // namespace archelon::boot
