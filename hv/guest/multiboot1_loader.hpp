#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/guest/kernel_kind.hpp"
#include "hv/guest/multiboot_boot.hpp"

namespace archelon::guest {

inline constexpr std::uint32_t kMultiboot1BootMagic = 0x2BAD'B002;

// Reads a multiboot 1 kernel's header and what the file loads (Multiboot Specification 0.6.96, "OS
// image format").
[[nodiscard]] Result<BootImage, LoadError> plan_multiboot1(std::span<const std::byte> file);

namespace detail {

// Offsets in the information structure (Multiboot Specification, "Boot information format").
inline constexpr std::uint64_t kInfo1Size = 120;
inline constexpr std::uint32_t kInfo1Memory = 1U << 0;
inline constexpr std::uint32_t kInfo1CommandLine = 1U << 2;
inline constexpr std::uint32_t kInfo1Modules = 1U << 3;
inline constexpr std::uint32_t kInfo1Sections = 1U << 5;
inline constexpr std::uint32_t kInfo1MemoryMap = 1U << 6;
inline constexpr std::uint32_t kInfo1LoaderName = 1U << 9;

template <class M>
std::uint64_t write_info1(InfoArea<M>& info, const BootRequest& request, const BootImage& image,
                          const MultibootPlacement& placement) {
  const std::uint64_t at = info.reserve(kInfo1Size);
  const auto field = [&](std::uint64_t offset, std::uint64_t value) {
    info.put(at + offset, truncate<std::uint32_t>(value));
  };
  std::uint32_t flags = kInfo1Memory | kInfo1CommandLine | kInfo1MemoryMap | kInfo1LoaderName;
  field(4, kLowMemoryEnd.value() / kKiB);
  field(8, (request.layout.low_ram_end().value() - kMiB) / kKiB);
  field(16, info.add_text(request.command_line));
  field(64, info.add_text(kBootLoaderName));

  const std::uint64_t count = placement.modules.size();
  if (count != 0) {
    flags |= kInfo1Modules;
    const std::uint64_t table = info.reserve(count * 16);
    field(20, count);
    field(24, table);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t start = placement.modules[i];
      const std::uint32_t text = info.add_text(request.modules[i].command_line);
      const std::uint32_t entry[4] = {
          truncate<std::uint32_t>(start),
          truncate<std::uint32_t>(start + request.modules[i].bytes.size()), text, 0};
      info.put(table + i * 16, entry);
    }
  }
  if (image.sections) {
    flags |= kInfo1Sections;
    const std::uint64_t table = info.reserve(image.sections->table.size());
    write_sections(info, table, *image.sections, placement);
    field(28, image.sections->count);
    field(32, image.sections->entry_size);
    field(36, table);
    field(40, image.sections->names);
  }
  const std::uint64_t entries = request.layout.map().size();
  const std::uint64_t map = info.reserve(entries * 24);
  field(44, entries * 24);
  field(48, map);
  for (std::size_t i = 0; i < entries; ++i) {
    const MemoryMapEntry& entry = request.layout.map()[i];
    info.put(map + i * 24, std::uint32_t{20});  // bytes of the rest of the entry
    info.put(map + i * 24 + 4, entry.base.value());
    info.put(map + i * 24 + 12, entry.size);
    info.put(map + i * 24 + 20, static_cast<std::uint32_t>(entry.type));
  }
  field(0, flags);
  return at;
}

}  // namespace detail

// Puts a multiboot 1 kernel with its modules, page aligned, and its boot information into the
// guest's memory and answers the boot CPU's start state ("Machine state"). After an error the
// guest's memory is undefined.
template <PhysicalMemory<Gpa1> M>
[[nodiscard]] Result<BootState, LoadError> load_multiboot1(M& memory, const BootRequest& request) {
  const auto image = plan_multiboot1(request.kernel);
  if (!image) {
    return Err{image.error()};
  }
  if (const auto checked = check_image(*image, request.layout); !checked) {
    return Err{checked.error()};
  }
  const auto placement = place_boot_data(request, *image);
  if (!placement) {
    return Err{placement.error()};
  }
  GuestWriter<M> writer(memory);
  write_images(writer, request, *image, *placement);
  InfoArea<M> info(writer, placement->info);
  writer.zero(Gpa1{placement->info}, detail::kInfo1Size);
  const std::uint64_t address = detail::write_info1(info, request, *image, *placement);
  const BootState state = multiboot_state(info, image->entry, kMultiboot1BootMagic, address);
  if (const auto status = info.status(); !status) {
    return Err{status.error()};
  }
  return state;
}

}  // namespace archelon::guest
