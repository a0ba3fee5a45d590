#pragma once

#include "drivers/acpi/table.hpp"

namespace archelon::drivers::acpi {

// The fixed hardware (ACPI, "Fixed ACPI Description Table (FADT)"). Without a FADT this default
// holds: nothing is there; the composition then resets by port 0xcf9 and the keyboard controller
// and cannot power off.
struct Fadt {
  bool present = false;
  GenericAddress pm1a_control;
  GenericAddress pm1b_control;
  GenericAddress pm_timer;
  bool pm_timer_32_bits = false;  // else it has 24
  GenericAddress reset_register;  // present only where the flags say it is supported
  std::uint8_t reset_value = 0;
  std::uint16_t sci_line = 9;
  std::uint16_t smi_command_port = 0;  // 0: the machine is always in ACPI mode
  std::uint8_t acpi_enable_value = 0;
  std::uint32_t flags = 0;
  Hpa dsdt;
};

template <HpaReader M, class Report>
void read_fadt(M& memory, const Table& table, Fadt& fadt, Report problem) {
  constexpr std::uint32_t kTimerExtended = 1U << 8, kResetSupported = 1U << 10;
  const auto field = [&]<class T>(T, std::uint64_t offset) {
    return table.get<T>(memory, offset).value_or(T{0});
  };
  if (table.length < 116) {  // up to Flags: ACPI 1.0
    problem(Problem{"table is too short", table.signature, table.base});
    return;
  }
  fadt.present = true;
  fadt.flags = field(std::uint32_t{}, 112);
  fadt.sci_line = field(std::uint16_t{}, 46);
  const std::uint32_t smi_command = field(std::uint32_t{}, 48);
  fadt.smi_command_port = static_cast<std::uint16_t>(smi_command <= 0xffff ? smi_command : 0);
  fadt.acpi_enable_value = field(std::uint8_t{}, 52);

  // The extended field, where the table has it and it is not empty, replaces the old one.
  const auto block = [&](std::uint64_t old, std::uint64_t extended, std::uint8_t bit_width) {
    if (const auto address = get_generic_address(memory, table, extended)) {
      if (address->present()) {
        return *address;
      }
    }
    return GenericAddress{GenericAddress::Space::kIo, bit_width, field(std::uint32_t{}, old)};
  };
  fadt.pm1a_control = block(64, 172, 16);
  fadt.pm1b_control = block(68, 184, 16);
  fadt.pm_timer = block(76, 208, 32);
  fadt.pm_timer_32_bits = (fadt.flags & kTimerExtended) != 0;
  if ((fadt.flags & kResetSupported) != 0) {
    fadt.reset_register = get_generic_address(memory, table, 116).value_or(GenericAddress{});
    fadt.reset_value = field(std::uint8_t{}, 128);
  }
  const std::uint64_t extended_dsdt = field(std::uint64_t{}, 140);
  fadt.dsdt = Hpa(extended_dsdt != 0 ? extended_dsdt : field(std::uint32_t{}, 40));
}

}  // namespace archelon::drivers::acpi
