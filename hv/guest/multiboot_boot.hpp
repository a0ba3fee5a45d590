#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"
#include "hv/guest/boot_image.hpp"
#include "hv/guest/boot_request.hpp"
#include "hv/guest/boot_state.hpp"
#include "hv/guest/guest_writer.hpp"

// What the two multiboot protocols share: where things go, and writing them there.
namespace archelon::guest {

// As with GRUB 2, the command lines hold the arguments alone, without the file's name. Xen looks
// for "GRUB 2" in the loader's name to know that, hence the name.
inline constexpr std::string_view kBootLoaderName = "Archelon (as GRUB 2)";

// Free space below the PCI hole and below 4 GiB, taken piece by piece.
class BootPlacer {
 public:
  explicit BootPlacer(const MemoryLayout& layout) : layout_(layout) {}

  // False when there are more pieces than can be remembered.
  [[nodiscard]] bool take(std::uint64_t base, std::uint64_t size);

  // The lowest or highest free base in [from, end - size], a multiple of `alignment`; taken. `size`
  // 0 counts as 1; take_highest takes nothing below 1 MiB.
  [[nodiscard]] std::optional<std::uint64_t> take_lowest(std::uint64_t size,
                                                         std::uint64_t alignment,
                                                         std::uint64_t from, std::uint64_t end);
  [[nodiscard]] std::optional<std::uint64_t> take_highest(std::uint64_t size,
                                                          std::uint64_t alignment,
                                                          std::uint64_t from, std::uint64_t end);

 private:
  struct Piece {
    std::uint64_t base = 0;
    std::uint64_t size = 0;
  };
  [[nodiscard]] const Piece* overlapped(std::uint64_t base, std::uint64_t size) const;

  const MemoryLayout& layout_;
  StaticVector<Piece, 64> taken_;
};

// The boot information with the GDT before it: in low memory when the kernel leaves it free.
inline constexpr std::uint64_t kBootInfoBase = 0x1'0000;
inline constexpr std::uint64_t kBootInfoSize = 0x8'0000;

struct SymbolSection {
  std::uint32_t index = 0;
  std::uint64_t address = 0;
  std::span<const std::byte> bytes;
};

struct MultibootPlacement {
  StaticVector<std::uint64_t, kMaxBootModules> modules;  // page aligned
  StaticVector<SymbolSection, 4> symbols;  // symbol and string tables, not part of a segment
  std::uint64_t info = 0;
};

// Finds room for the modules, the boot information and, where there is any, the symbols.
[[nodiscard]] Result<MultibootPlacement, LoadError> place_boot_data(const BootRequest& request,
                                                                    const BootImage& image);

// The boot information area of a guest, filled from its start.
template <class M>
class InfoArea {
 public:
  InfoArea(GuestWriter<M>& writer, std::uint64_t base)
      : writer_(writer), next_(base), end_(base + kBootInfoSize) {}

  // Takes `size` bytes. Past the end nothing is written any more and status() tells it.
  std::uint64_t reserve(std::uint64_t size, std::uint64_t alignment = 8) {
    const std::uint64_t at = align_up(next_, alignment);
    if (at > end_ || size > end_ - at) {
      needed_ = size;
      next_ = end_;
      return end_;
    }
    next_ = at + size;
    return at;
  }

  template <class T>
  void put(std::uint64_t at, const T& value) {
    if (needed_ == 0) {
      writer_.value(Gpa1{at}, value);
    }
  }
  void put_bytes(std::uint64_t at, std::span<const std::byte> bytes) {
    if (needed_ == 0) {
      writer_.bytes(Gpa1{at}, bytes);
    }
  }
  // The text with its NUL; answers its address.
  std::uint32_t add_text(std::string_view text) {
    const std::uint64_t at = reserve(text.size() + 1, 1);
    if (needed_ == 0) {
      writer_.text(Gpa1{at}, text);
    }
    return truncate<std::uint32_t>(at);
  }

  [[nodiscard]] std::uint64_t next() const { return next_; }
  [[nodiscard]] Status<LoadError> status() const {
    if (needed_ != 0) {
      return Err{LoadError{LoadFault::kMultibootInfoDoesNotFit, kBootInfoSize + needed_, 0}};
    }
    return writer_.status();
  }

 private:
  GuestWriter<M>& writer_;
  std::uint64_t next_;
  std::uint64_t end_;
  std::uint64_t needed_ = 0;  // of the first piece that did not fit
};

// Writes the kernel, its modules and its symbols.
template <class M>
void write_images(GuestWriter<M>& writer, const BootRequest& request, const BootImage& image,
                  const MultibootPlacement& placement) {
  for (const ImageSegment& segment : image.segments) {
    const Gpa1 at{segment.address};
    writer.bytes(at, segment.bytes);
    writer.zero(at + segment.bytes.size(), segment.size - segment.bytes.size());
  }
  for (std::size_t i = 0; i < placement.modules.size(); ++i) {
    writer.bytes(Gpa1{placement.modules[i]}, request.modules[i].bytes);
  }
  for (const SymbolSection& section : placement.symbols) {
    writer.bytes(Gpa1{section.address}, section.bytes);
  }
}

// Puts the section headers at `at`, the symbols' addresses filled in.
template <class M>
void write_sections(InfoArea<M>& info, std::uint64_t at, const ElfSections& sections,
                    const MultibootPlacement& placement) {
  info.put_bytes(at, sections.table);
  for (const SymbolSection& section : placement.symbols) {
    const std::uint64_t field = at + std::uint64_t{section.index} * sections.entry_size +
                                elf_section_address_offset(sections);
    if (sections.elf64) {
      info.put(field, section.address);
    } else {
      info.put(field, truncate<std::uint32_t>(section.address));
    }
  }
}

// The state both protocols start a kernel in (their "Machine state"), with `magic` in EAX and the
// boot information's address in EBX. The GDT goes into the information area.
template <class M>
[[nodiscard]] BootState multiboot_state(InfoArea<M>& info, std::uint64_t entry, std::uint32_t magic,
                                        std::uint64_t info_address) {
  const std::uint64_t gdt = info.reserve(sizeof(kBootGdtProtected));
  info.put(gdt, kBootGdtProtected);
  BootState state = flat_protected_state(gdt, entry);
  state.gprs[Gpr::kRax] = magic;
  state.gprs[Gpr::kRbx] = info_address;
  return state;
}

}  // namespace archelon::guest
