#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"
#include "hv/guest/layout.hpp"
#include "hv/guest/load_error.hpp"

namespace archelon::guest {

// A piece of a kernel: `bytes` go to guest-physical `address`, zeros up to `size` after them.
struct ImageSegment {
  std::uint64_t address = 0;
  std::span<const std::byte> bytes;
  std::uint64_t size = 0;
};

// An ELF file's section headers, which multiboot hands to the kernel.
struct ElfSections {
  std::span<const std::byte> table;
  std::uint32_t count = 0;
  std::uint32_t entry_size = 0;
  std::uint32_t names = 0;  // index of the section with the names
  bool elf64 = false;
};

// The type, file offset and size of one section, and where its address lies in its header.
struct ElfSection {
  std::uint32_t type = 0;
  std::uint64_t address = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
inline constexpr std::uint32_t kElfSymbols = 2;  // SHT_SYMTAB
inline constexpr std::uint32_t kElfStrings = 3;  // SHT_STRTAB
[[nodiscard]] ElfSection elf_section(const ElfSections& sections, std::uint32_t index);
[[nodiscard]] constexpr std::size_t elf_section_address_offset(const ElfSections& sections) {
  return sections.elf64 ? 16 : 12;
}

// What a multiboot kernel file loads, all of it below 4 GiB and checked against the file.
struct BootImage {
  StaticVector<ImageSegment, 16> segments;
  std::uint64_t entry = 0;
  std::optional<ElfSections> sections;

  [[nodiscard]] std::uint64_t low() const;
  [[nodiscard]] std::uint64_t high() const;
  [[nodiscard]] bool contains(std::uint64_t address) const;
  void move_by(std::uint64_t delta);
};

// An ELF32 or ELF64 executable for x86 by its program headers' physical addresses. An entry point
// in a segment's virtual range is turned into the physical one.
[[nodiscard]] Result<BootImage, LoadError> elf_image(std::span<const std::byte> file);

// The address fields of a multiboot header ("a.out kludge"), all physical addresses.
struct AddressFields {
  std::uint32_t header = 0;    // where the header itself goes
  std::uint32_t load = 0;      // start of what is loaded
  std::uint32_t load_end = 0;  // 0: to the file's end
  std::uint32_t bss_end = 0;   // 0: no zeros after it
  std::uint32_t entry = 0;
};
[[nodiscard]] Result<BootImage, LoadError> flat_image(std::span<const std::byte> file,
                                                      std::size_t header_offset,
                                                      const AddressFields& fields);

// Whether the VM has RAM wherever the image goes, and the entry lies in it.
[[nodiscard]] Status<LoadError> check_image(const BootImage& image, const MemoryLayout& layout);

}  // namespace archelon::guest
