#pragma once

#include "hv/devices/byte_writer.hpp"
#include "hv/devices/machine_config.hpp"

namespace archelon::devices {

// Writes the definition block of the DSDT: the devices of the machine that cannot be enumerated.
void write_dsdt_body(ByteWriter& out, const MachineConfig& config);

}  // namespace archelon::devices
