// What the multiboot loader (1 or 2) told the guest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace guest {

struct MemoryRange {
  std::uint64_t base;
  std::uint64_t length;
  std::uint32_t type;  // 1 is RAM
};

struct BootInfo {
  unsigned multiboot = 0;  // 1 or 2
  const char* command_line = "";
  std::array<MemoryRange, 64> memory{};
  std::size_t memory_ranges = 0;
  unsigned modules = 0;
};

const BootInfo& boot_info();
bool command_line_has(const char* word);
// The number behind "key=" on the command line, or the default.
std::uint64_t command_line_number(const char* key, std::uint64_t otherwise);
// The end of the RAM range that holds the guest's image.
std::uint64_t ram_end();

}  // namespace guest
