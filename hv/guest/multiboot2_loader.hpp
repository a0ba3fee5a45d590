#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/guest/kernel_kind.hpp"
#include "hv/guest/multiboot_boot.hpp"

namespace archelon::guest {

inline constexpr std::uint32_t kMultiboot2BootMagic = 0x36D7'6289;

// The relocatable header tag.
struct Multiboot2Relocation {
  enum class Preference : std::uint32_t { kNone = 0, kLowest = 1, kHighest = 2 };

  std::uint32_t min = 0;  // lowest address of the image
  std::uint32_t max = 0;  // highest address of the image's end
  std::uint32_t alignment = 1;
  Preference preference = Preference::kNone;
};

struct Multiboot2Plan {
  BootImage image;
  std::optional<Multiboot2Relocation> relocation;
};

// Reads a multiboot 2 kernel's header and what the file loads (Multiboot2 Specification 2.0, "OS
// image format"). Header tags that are not understood refuse the kernel unless they are optional.
[[nodiscard]] Result<Multiboot2Plan, LoadError> plan_multiboot2(std::span<const std::byte> file);

// Moves the image to where its relocatable tag asks for, by the VM's memory: with no preference it
// stays where it is linked when that is allowed, and else goes as low as it may.
[[nodiscard]] Status<LoadError> relocate(Multiboot2Plan& plan, const MemoryLayout& layout);

namespace detail {

// Types of boot information tags (Multiboot2 Specification, "Boot information").
enum class Info2 : std::uint32_t {
  kEnd = 0,
  kCommandLine = 1,
  kLoaderName = 2,
  kModule = 3,
  kBasicMemory = 4,
  kMemoryMap = 6,
  kElfSections = 9,
  kAcpiOld = 14,
  kAcpiNew = 15,
  kLoadBase = 21,
};

inline constexpr std::size_t kRsdpOldSize = 20;
inline constexpr std::size_t kRsdpNewSize = 36;

// Reserves a tag with `payload` bytes after its type and size; answers the payload's address.
template <class M>
std::uint64_t add_tag(InfoArea<M>& info, Info2 type, std::uint64_t payload) {
  const std::uint64_t at = info.reserve(8 + payload);
  info.put(at, static_cast<std::uint32_t>(type));
  info.put(at + 4, truncate<std::uint32_t>(8 + payload));
  return at + 8;
}

template <class M>
void add_text_tag(InfoArea<M>& info, Info2 type, std::string_view text) {
  const std::uint64_t at = add_tag(info, type, text.size() + 1);
  info.put_bytes(at, std::as_bytes(std::span<const char>(text.data(), text.size())));
  info.put(at + text.size(), '\0');
}

template <class M>
void add_module_tag(InfoArea<M>& info, std::uint64_t start, const BootModule& module) {
  const std::string_view text = module.command_line;
  const std::uint64_t at = add_tag(info, Info2::kModule, 8 + text.size() + 1);
  info.put(at, truncate<std::uint32_t>(start));
  info.put(at + 4, truncate<std::uint32_t>(start + module.bytes.size()));
  info.put_bytes(at + 8, std::as_bytes(std::span<const char>(text.data(), text.size())));
  info.put(at + 8 + text.size(), '\0');
}

template <class M>
void add_memory_tags(InfoArea<M>& info, const MemoryLayout& layout) {
  const std::uint64_t basic = add_tag(info, Info2::kBasicMemory, 8);
  info.put(basic, truncate<std::uint32_t>(kLowMemoryEnd.value() / kKiB));
  info.put(basic + 4, truncate<std::uint32_t>((layout.low_ram_end().value() - kMiB) / kKiB));
  const std::uint64_t map = add_tag(info, Info2::kMemoryMap, 8 + layout.map().size() * 24);
  info.put(map, std::uint32_t{24});     // bytes of an entry
  info.put(map + 4, std::uint32_t{0});  // version of the entries
  for (std::size_t i = 0; i < layout.map().size(); ++i) {
    const MemoryMapEntry& entry = layout.map()[i];
    const std::uint64_t at = map + 8 + i * 24;
    info.put(at, entry.base.value());
    info.put(at + 8, entry.size);
    info.put(at + 16, static_cast<std::uint32_t>(entry.type));
    info.put(at + 20, std::uint32_t{0});
  }
}

template <class M>
void add_sections_tag(InfoArea<M>& info, const ElfSections& sections,
                      const MultibootPlacement& placement) {
  const std::uint64_t at = add_tag(info, Info2::kElfSections, 12 + sections.table.size());
  info.put(at, sections.count);
  info.put(at + 4, sections.entry_size);
  info.put(at + 8, sections.names);
  write_sections(info, at + 12, sections, placement);
}

template <class M>
std::uint64_t write_info2(InfoArea<M>& info, const BootRequest& request, const Multiboot2Plan& plan,
                          const MultibootPlacement& placement) {
  const std::uint64_t start = info.reserve(8);
  add_text_tag(info, Info2::kCommandLine, request.command_line);
  add_text_tag(info, Info2::kLoaderName, kBootLoaderName);
  for (std::size_t i = 0; i < placement.modules.size(); ++i) {
    add_module_tag(info, placement.modules[i], request.modules[i]);
  }
  add_memory_tags(info, request.layout);
  if (plan.image.sections) {
    add_sections_tag(info, *plan.image.sections, placement);
  }
  const std::span<const std::byte> rsdp = request.rsdp_bytes;
  if (rsdp.size() >= kRsdpOldSize) {
    info.put_bytes(add_tag(info, Info2::kAcpiOld, kRsdpOldSize), rsdp.first(kRsdpOldSize));
  }
  if (rsdp.size() >= kRsdpNewSize) {
    info.put_bytes(add_tag(info, Info2::kAcpiNew, kRsdpNewSize), rsdp.first(kRsdpNewSize));
  }
  if (plan.relocation) {
    info.put(add_tag(info, Info2::kLoadBase, 4), truncate<std::uint32_t>(plan.image.low()));
  }
  (void)add_tag(info, Info2::kEnd, 0);
  info.put(start, truncate<std::uint32_t>(info.next() - start));
  info.put(start + 4, std::uint32_t{0});
  return start;
}

}  // namespace detail

// Puts a multiboot 2 kernel with its modules, page aligned, and its boot information into the
// guest's memory and answers the boot CPU's start state ("I386 machine state"). After an error the
// guest's memory is undefined.
template <PhysicalMemory<Gpa1> M>
[[nodiscard]] Result<BootState, LoadError> load_multiboot2(M& memory, const BootRequest& request) {
  auto plan = plan_multiboot2(request.kernel);
  if (!plan) {
    return Err{plan.error()};
  }
  if (const auto moved = relocate(*plan, request.layout); !moved) {
    return Err{moved.error()};
  }
  if (const auto checked = check_image(plan->image, request.layout); !checked) {
    return Err{checked.error()};
  }
  const auto placement = place_boot_data(request, plan->image);
  if (!placement) {
    return Err{placement.error()};
  }
  GuestWriter<M> writer(memory);
  write_images(writer, request, plan->image, *placement);
  InfoArea<M> info(writer, placement->info);
  const std::uint64_t address = detail::write_info2(info, request, *plan, *placement);
  const BootState state = multiboot_state(info, plan->image.entry, kMultiboot2BootMagic, address);
  if (const auto status = info.status(); !status) {
    return Err{status.error()};
  }
  return state;
}

}  // namespace archelon::guest
