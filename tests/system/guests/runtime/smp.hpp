// Further CPUs.
#pragma once

#include <cstdint>

namespace guest {

// Starts the CPU by INIT and SIPI; it runs main on a stack of its own, with interrupts off and the
// common IDT, and halts when main returns. One start at a time. Without TSS: no code at CPL 3
// there.
void start_cpu(std::uint32_t apic_id, void (*main)());

// Busy-waits about so many microseconds by the TSC at the rate given on the command line
// (tsc-khz=N, default 100000).
void wait_us(std::uint64_t microseconds);
std::uint64_t tsc_per_us();

}  // namespace guest
