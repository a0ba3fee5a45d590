#pragma once

#include <cstdint>

#include "drivers/acpi/acpi.hpp"
#include "drivers/hw/lapic.hpp"
#include "drivers/tick_scale.hpp"
#include "drivers/tsc_calibration.hpp"

namespace archelon::drivers {

// Finds out the TSC's rate by the rule of choose_tsc_frequency, measuring with the HPET, else the
// PM timer, else the 8254, and logs one line (a second one where CPUID's claim was rejected).
// Takes about 30 ms. The HPET's page, where acpi names one, must have been mapped as device memory.
[[nodiscard]] TscFrequency calibrate_tsc(const acpi::Info& acpi);

// Ticks of the LAPIC timer (divided by 1) per tick of the TSC, measured over 10 ms on the executing
// CPU. Not valid() where the timer does not count. Leaves the timer stopped.
[[nodiscard]] TickScale calibrate_lapic_timer(HwLapic& lapic, std::uint64_t tsc_hz);

}  // namespace archelon::drivers
