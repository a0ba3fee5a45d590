#pragma once

#include "drivers/acpi/fadt.hpp"
#include "drivers/acpi/madt.hpp"
#include "drivers/acpi/root.hpp"
#include "drivers/acpi/sleep.hpp"

namespace archelon::drivers::acpi {

// PCI buses whose configuration space is memory-mapped, 1 MiB per bus from bus 0 of the segment
// (PCI Firmware Specification, "MCFG Table Description").
struct EcamRange {
  Hpa base;
  std::uint16_t segment = 0;
  std::uint8_t first_bus = 0;
  std::uint8_t last_bus = 0;
};

// Everything that L0 uses of ACPI. What is missing has its default: no tables at all leave one CPU,
// the LAPIC at its usual place, PCI by ports 0xcf8/0xcfc, no HPET, no PM timer, no power-off.
struct Info {
  bool present = false;
  StaticVector<Table, kMaxTables> tables;
  Madt madt;
  Fadt fadt;
  std::optional<SleepTypes> s5;
  StaticVector<EcamRange, 8> ecam;
  std::optional<Hpa> hpet;    // its 1 KiB register block
  std::optional<Table> dmar;  // VT-d; read by the IOMMU layer

  StaticVector<Problem, 16> problems;
  std::uint32_t problems_dropped = 0;

  void report(const Problem& problem) {
    if (!problems.push_back(problem)) {
      ++problems_dropped;
    }
  }
  [[nodiscard]] const Table* find(std::uint32_t wanted) const {
    for (const Table& table : tables) {
      if (table.signature == wanted) {
        return &table;
      }
    }
    return nullptr;
  }
};

template <HpaReader M>
void read_mcfg(M& memory, const Table& table, Info& info) {
  for (std::uint64_t at = 44; at + 16 <= table.length; at += 16) {
    const EcamRange range{Hpa(table.get<std::uint64_t>(memory, at).value_or(0)),
                          table.get<std::uint16_t>(memory, at + 8).value_or(0),
                          table.get<std::uint8_t>(memory, at + 10).value_or(0),
                          table.get<std::uint8_t>(memory, at + 11).value_or(0)};
    const bool plausible = range.base.value() != 0 && range.base.is_aligned(1U << 20) &&
                           range.base.value() < (std::uint64_t{1} << 52) &&
                           range.first_bus <= range.last_bus;
    if (!plausible || !info.ecam.push_back(range)) {
      info.report({"PCI configuration range left out", table.signature, table.base + at});
    }
  }
}

template <HpaReader M>
void read_hpet(M& memory, const Table& table, Info& info) {
  const auto address = get_generic_address(memory, table, 40);
  if (!address || !address->present() || address->space != GenericAddress::Space::kMemory ||
      !Hpa(address->address).is_aligned(1024)) {
    info.report({"HPET without a usable address", table.signature, table.base});
    return;
  }
  if (!info.hpet) {
    info.hpet = Hpa(address->address);
  }
}

// Reads the tables behind an RSDP: of the copies that the boot loader left the newer one first,
// else searched for in memory (which is right on BIOS machines only). `info` is large: keep it
// static.
template <HpaReader M>
void read_acpi(M& memory, std::span<const std::byte> rsdp_new, std::span<const std::byte> rsdp_old,
               Info& info) {
  const auto report = [&info](const Problem& problem) { info.report(problem); };
  auto root = parse_rsdp(rsdp_new);
  if (!root) {
    root = parse_rsdp(rsdp_old);
  }
  if (!root) {
    root = scan_for_rsdp(memory);
  }
  if (!root) {
    report(Problem{"no valid RSDP", 0, Hpa(0)});
    return;
  }
  info.tables = list_tables(memory, *root, report);
  info.present = !info.tables.empty();
  if (const Table* madt = info.find(signature("APIC"))) {
    read_madt(memory, *madt, info.madt, report);
  }
  if (const Table* fadt = info.find(signature("FACP"))) {
    read_fadt(memory, *fadt, info.fadt, report);
  }
  if (info.fadt.present) {
    const auto dsdt = open_table(memory, info.fadt.dsdt);
    if (dsdt.ok()) {
      info.s5 = find_s5(memory, *dsdt);
    } else {
      report(dsdt.error());
    }
  }
  for (const Table& table : info.tables) {
    if (table.signature == signature("MCFG")) {
      read_mcfg(memory, table, info);
    } else if (table.signature == signature("HPET")) {
      read_hpet(memory, table, info);
    } else if (table.signature == signature("DMAR") && !info.dmar) {
      info.dmar = table;
    } else if (table.signature == signature("SSDT") && !info.s5) {
      info.s5 = find_s5(memory, table);
    }
  }
}

}  // namespace archelon::drivers::acpi
