#pragma once

#include <cstddef>

namespace kvmclient {

struct BootOptions {
  const char* kernel = nullptr;
  const char* initrd = nullptr;
  const char* cmdline = "console=ttyS0 pci=off reboot=k panic=-1";
  std::size_t memory_mib = 128;
  unsigned timeout_seconds = 0;  // 0: none
};

// Boots a Linux bzImage with a minimal machine: UART at 0x3f8, clock that answers 0, i8042 reset,
// exit port 0xf4. Prints the guest's console; ends when the guest resets the machine (0) or writes
// to the exit port (its value).
int boot_linux(const BootOptions& options);

}  // namespace kvmclient
