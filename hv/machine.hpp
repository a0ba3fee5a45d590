#pragma once

#include "boot/command_line.hpp"
#include "boot/memory_map.hpp"
#include "boot/multiboot2.hpp"

namespace archelon::hv {

// What the loader and firmware told about the machine. Filled by kernel_main on the boot CPU before
// any other CPU runs; constant afterwards, but for memory that is taken out of the map.
struct Machine {
  boot::BootInfo boot;
  boot::MemoryMap memory;
  boot::Options options;  // of the command line, and of the configuration where that was silent

  [[nodiscard]] boot::ConsoleList consoles() const {
    return options.consoles.value_or(boot::default_consoles());
  }
};

[[nodiscard]] Machine& machine();

}  // namespace archelon::hv
