#include "hv/platform.hpp"

#include <cstring>
#include <span>

#include "drivers/hw/tsc.hpp"
#include "hv/base/log.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/paging.hpp"
#include "hv/hw/smp.hpp"
#include "hv/machine.hpp"

namespace archelon::hv {
namespace {

constinit Platform g_platform;

// Where ACPI tables may be: memory that the direct map shows, and reserved ranges, which are mapped
// when they are first read. The addresses come from firmware; a wrong one reads as garbage, which
// the tables' checksums catch.
struct FirmwareMemory {
  static bool read(Hpa address, std::span<std::byte> out) {
    constexpr Hpa kEnd{std::uint64_t{1} << 46};
    if (address >= kEnd || out.size() > kEnd - address || !hw::map_firmware(address, out.size())) {
      return false;
    }
    std::memcpy(out.data(), hw::to_pointer<const std::byte>(address), out.size());
    return true;
  }
};

void log_acpi(const drivers::acpi::Info& acpi) {
  for (const auto& problem : acpi.problems) {
    log_warning("ACPI: {} at {}", problem.text, problem.address);
  }
  if (!acpi.present) {
    log_warning("ACPI: no tables; one CPU, no power-off");
    return;
  }
  log_info("ACPI: {} tables, {} CPUs, {} IOAPICs{}{}{}", acpi.tables.size(), acpi.madt.cpus.size(),
           acpi.madt.ioapics.size(), acpi.hpet ? ", HPET" : "",
           acpi.ecam.empty() ? "" : ", PCI Express", acpi.dmar ? ", VT-d" : "");
}

}  // namespace

const Platform& platform() {
  return g_platform;
}

void init_platform() {
  FirmwareMemory memory;
  const boot::BootInfo& boot = machine().boot;
  drivers::acpi::read_acpi(memory, boot.rsdp_new, boot.rsdp_old, g_platform.acpi);
  log_acpi(g_platform.acpi);
  if (g_platform.acpi.hpet && !hw::map_device(*g_platform.acpi.hpet, kPageSize)) {
    g_platform.acpi.hpet.reset();
  }
  g_platform.tsc = drivers::calibrate_tsc(g_platform.acpi);
  g_platform.has_lapic = hw::init_local_apic(g_platform.acpi.madt);
  if (!g_platform.has_lapic) {
    log_warning("no usable local APIC: one CPU, no interrupts");
    return;
  }
  g_platform.lapic_timer = drivers::calibrate_lapic_timer(hw::local_apic(), g_platform.tsc.hz);
}

}  // namespace archelon::hv
