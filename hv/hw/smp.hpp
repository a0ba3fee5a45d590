#pragma once

#include <cstdint>

namespace archelon::hw {

// Makes every other CPU stop for good by NMI (a CPU in VMX root or running L0 takes it; one in a
// guest exits, and the exit path calls handle_nmi()). For a panic; does nothing before the local
// APIC is up.
void stop_other_cpus();

}  // namespace archelon::hw
