#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/base/address.hpp"
#include "hv/guest/layout.hpp"

namespace archelon::guest {

// A Linux initrd, or a multiboot module with its own command line.
struct BootModule {
  std::span<const std::byte> bytes;
  std::string_view command_line;
};

inline constexpr std::size_t kMaxBootModules = 32;

// What a VM's boot CPU is to start. The images are untrusted bytes in L0's memory; the guest's
// memory is written through a PhysicalMemory over Gpa1 and is expected to hold zeros.
struct BootRequest {
  std::span<const std::byte> kernel;
  std::string_view command_line;
  std::span<const BootModule> modules;
  const MemoryLayout& layout;
  Gpa1 rsdp;                              // the ACPI root pointer in the firmware area; 0: none
  std::span<const std::byte> rsdp_bytes;  // a copy of it, 20 (ACPI 1.0) or 36 bytes; or empty
};

}  // namespace archelon::guest
