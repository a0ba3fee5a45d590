#pragma once

#include "drivers/acpi/acpi.hpp"
#include "drivers/hw/ports.hpp"
#include "drivers/pci.hpp"

namespace archelon::drivers::pci {

using HwPortConfig = PortConfig<HwPorts>;
using HwEcamConfig = EcamConfig<HwMmio>;

// The range must have been mapped as device memory: 1 MiB per bus, from base + first_bus MiB.
[[nodiscard]] inline HwEcamConfig ecam_config(const acpi::EcamRange& range) {
  return {HwMmio(range.base), range.first_bus, range.last_bus};
}

}  // namespace archelon::drivers::pci
