#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "hv/base/address.hpp"
#include "hv/devices/machine_config.hpp"

namespace archelon::devices {

// Room that is always enough for write_acpi_tables().
inline constexpr std::size_t kAcpiTablesMax = 4096;

// Writes the ACPI tables of the machine (RSDP, RSDT, XSDT, FADT, FACS, DSDT, MADT; ACPI 6.0) into
// `buffer`, which the guest sees at `base`: below 4 GiB, 64-byte aligned, and between E0000h and
// FFFFFh where a guest is to find it without being told. The RSDP comes first, at `base`. Answers
// the bytes used; nothing where they do not fit or `base` is not as said.
[[nodiscard]] std::optional<std::size_t> write_acpi_tables(const MachineConfig& config, Gpa1 base,
                                                           std::span<std::byte> buffer);

}  // namespace archelon::devices
