#pragma once

#include <cstdint>

#include "drivers/acpi/acpi.hpp"
#include "drivers/tick_scale.hpp"
#include "drivers/tsc_calibration.hpp"

namespace archelon::hv {

// The hardware that L0 itself drives, as ACPI describes it. Filled by init_platform() on the boot
// CPU; constant afterwards.
struct Platform {
  drivers::acpi::Info acpi;
  drivers::TscFrequency tsc;
  // Local-APIC timer ticks per TSC tick; not valid() where the timer cannot be used.
  drivers::TickScale lapic_timer;
  bool has_lapic = false;
};

[[nodiscard]] const Platform& platform();

// Reads ACPI, calibrates the clocks and brings up the boot CPU's local APIC. What is missing is
// logged and done without.
void init_platform();

}  // namespace archelon::hv
