#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/support/byte_builder.hpp"

namespace archelon::test {

inline constexpr std::uint32_t kMultiboot1Magic = 0x1BAD'B002;
inline constexpr std::uint32_t kMultiboot2Magic = 0xE852'50D6;

// A multiboot 1 header, 4-byte aligned; the address fields when given.
inline ByteBuilder multiboot1_header(std::uint32_t flags,
                                     const std::vector<std::uint32_t>& rest = {}) {
  ByteBuilder header;
  header.u32(kMultiboot1Magic).u32(flags).u32(0 - kMultiboot1Magic - flags);
  for (const std::uint32_t word : rest) {
    header.u32(word);
  }
  return header;
}

// A multiboot 2 header of the tags in `tags`, which are complete and 8-byte aligned but for the
// end.
inline ByteBuilder multiboot2_header(const ByteBuilder& tags, std::uint32_t architecture = 0) {
  const auto length = static_cast<std::uint32_t>(16 + tags.size() + 8);
  ByteBuilder header;
  header.u32(kMultiboot2Magic).u32(architecture).u32(length);
  header.u32(0 - kMultiboot2Magic - architecture - length);
  header.bytes(tags.view()).u16(0).u16(0).u32(8);
  return header;
}

struct Segment32 {
  std::uint32_t virtual_address;
  std::uint32_t physical_address;
  std::uint32_t memory_size;
  ByteBuilder content;
};

// An ELF32 file for i386: its headers, the segments' contents one after the other, each on 16
// bytes, and optionally a section header table with a symbol and a string table.
inline ByteBuilder elf32(std::uint32_t entry, const std::vector<Segment32>& segments,
                         bool with_sections = false, std::uint16_t machine = 3) {
  ByteBuilder file;
  file.u32(0x464C'457F).u8(1).u8(1).u8(1).zeros(9);
  file.u16(2).u16(machine).u32(1).u32(entry).u32(52).u32(0).u32(0);
  file.u16(52).u16(32).u16(segments.size()).u16(40).u16(0).u16(0);
  std::size_t offset = (52 + 32 * segments.size() + 15) / 16 * 16;
  for (const Segment32& s : segments) {
    file.u32(1).u32(offset).u32(s.virtual_address).u32(s.physical_address);
    file.u32(s.content.size()).u32(s.memory_size).u32(7).u32(16);
    offset += (s.content.size() + 15) / 16 * 16;
  }
  for (const Segment32& s : segments) {
    file.align(16).bytes(s.content.view());
  }
  file.align(16);
  if (with_sections) {
    const std::size_t symbols = file.size();
    file.text("SYMBOLS_").text("strings").u8(0);
    file.patch(32, static_cast<std::uint32_t>(file.size()));
    file.patch(48, std::uint16_t{3});
    file.patch(50, std::uint16_t{2});
    const auto section = [&](unsigned type, std::size_t at, std::size_t size) {
      file.u32(0).u32(type).u32(0).u32(0).u32(at).u32(size).u32(0).u32(0).u32(1).u32(0);
    };
    section(0, 0, 0);
    section(2, symbols, 8);
    section(3, symbols + 8, 8);
  }
  return file;
}

}  // namespace archelon::test
