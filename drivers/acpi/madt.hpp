#pragma once

#include "drivers/acpi/table.hpp"

namespace archelon::drivers::acpi {

struct MadtCpu {
  std::uint32_t apic_id = 0;
  std::uint32_t acpi_uid = 0;
  bool enabled = false;  // else it can only be brought online later by firmware
};

struct MadtIoApic {
  std::uint8_t id = 0;
  Hpa base;
  std::uint32_t gsi_base = 0;
};

// An ISA line that is not on the GSI of its own number, or not active-high and edge-triggered.
struct InterruptOverride {
  std::uint8_t isa_line = 0;
  std::uint32_t gsi = 0;
  bool active_low = false;
  bool level = false;
};

// A LAPIC's LINT pin that carries NMI; on every CPU where all_cpus.
struct LapicNmi {
  std::uint32_t acpi_uid = 0;
  bool all_cpus = false;
  std::uint8_t lint = 1;
};

inline constexpr std::size_t kMaxCpus = 256;
inline constexpr Hpa kDefaultLapicBase{0xfee0'0000};

// The interrupt controllers (ACPI, "Multiple APIC Description Table (MADT)"). Without a MADT this
// default holds: no CPU but the one that runs, the LAPIC at its usual place, no IOAPIC.
struct Madt {
  bool present = false;
  Hpa lapic_base = kDefaultLapicBase;
  bool has_8259 = true;
  StaticVector<MadtCpu, kMaxCpus> cpus;
  StaticVector<MadtIoApic, 16> ioapics;
  StaticVector<InterruptOverride, 32> overrides;
  StaticVector<LapicNmi, 32> nmis;

  // Takes in one entry with its header. An answer is a flaw: the entry was left out.
  [[nodiscard]] std::string_view add_entry(std::span<const std::byte> entry);
  // Where the ISA line `line` goes, by an override or else one to one.
  [[nodiscard]] InterruptOverride route_of(std::uint8_t line) const;
  // The IOAPIC with the largest base that is not above `gsi`; null where there is none.
  [[nodiscard]] const MadtIoApic* ioapic_of(std::uint32_t gsi) const;
};

template <HpaReader M, class Report>
void read_madt(M& memory, const Table& table, Madt& madt, Report problem) {
  constexpr std::uint64_t kEntries = 44;
  const auto lapic = table.get<std::uint32_t>(memory, 36);
  const auto flags = table.get<std::uint32_t>(memory, 40);
  if (!lapic || !flags) {
    problem(Problem{"table is too short", table.signature, table.base});
    return;
  }
  madt.present = true;
  if (*lapic != 0) {
    madt.lapic_base = Hpa(*lapic);
  }
  madt.has_8259 = (*flags & 1) != 0;
  std::uint64_t at = kEntries;
  while (at < table.length) {
    std::array<std::byte, 16> entry{};  // the longest kind that matters
    const auto size = table.get<std::uint8_t>(memory, at + 1);
    if (!size || *size < 2 || *size > table.length - at) {
      problem(Problem{"table ends within an entry", table.signature, table.base});
      return;
    }
    const auto part = std::span(entry).first(*size < entry.size() ? *size : entry.size());
    if (!table.copy(memory, at, part)) {
      return;
    }
    if (const std::string_view flaw = madt.add_entry(part); !flaw.empty()) {
      problem(Problem{flaw, table.signature, table.base + at});
    }
    at += *size;
  }
}

}  // namespace archelon::drivers::acpi
