#pragma once

#include <cstdint>

#include "hv/base/address.hpp"

namespace archelon::hv {

// Reads what the multiboot2 loader left (EAX and EBX at entry) into machine(): tags, options, and
// the memory map with everything reserved that is in use. Says in the log what is wrong; false
// where the machine cannot go on. Runs on the start code's page tables.
[[nodiscard]] bool read_boot_information(std::uint32_t magic, Hpa address);

}  // namespace archelon::hv
