#pragma once

#include <cstdint>

#include "drivers/acpi/madt.hpp"
#include "drivers/hw/lapic.hpp"

namespace archelon::hw {

// Brings up the boot CPU's local APIC, in the mode that reaches every CPU of `madt`, and makes it
// handle_interrupt()'s acknowledge. False where the CPU has none or its page cannot be mapped; the
// machine then has one CPU and no interrupts.
[[nodiscard]] bool init_local_apic(const drivers::acpi::Madt& madt);

// The executing CPU's local APIC. Only after init_local_apic() answered true.
[[nodiscard]] drivers::HwLapic& local_apic();

// What an application processor runs once it is set up as this_cpu() and counted in cpu_count(): on
// its own stack, interrupts disabled. It does not return.
using CpuEntry = void (*)();

// Starts every other enabled CPU of `madt`, one after the other, and logs one line for each that
// does not come up within a second. `tsc_hz` measures the waits.
void start_all_cpus(const drivers::acpi::Madt& madt, std::uint64_t tsc_hz, CpuEntry entry);

// Raises `vector` on CPU `index`.
void send_ipi(std::uint32_t index, std::uint8_t vector);

// Makes every other CPU stop for good by NMI (a CPU that runs L0 takes it at once; one in a guest
// exits, and the exit path calls handle_nmi()). Answers how many have stopped within a short while.
// For a panic; does nothing without a local APIC.
std::uint32_t stop_other_cpus();

}  // namespace archelon::hw
