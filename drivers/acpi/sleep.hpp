#pragma once

#include <algorithm>

#include "drivers/acpi/table.hpp"

namespace archelon::drivers::acpi {

// What goes into SLP_TYP of the PM1a and PM1b control registers to enter a sleep state.
struct SleepTypes {
  std::uint8_t pm1a = 0;
  std::uint8_t pm1b = 0;
};

// SLP_TYPx is bits 12:10 of PM1 control, SLP_EN bit 13 (ACPI, "PM1 Control Registers").
[[nodiscard]] constexpr std::uint16_t pm1_sleep_value(std::uint16_t control, std::uint8_t type) {
  constexpr unsigned kTypeShift = 10, kTypeMask = 7, kEnable = 1U << 13;
  return static_cast<std::uint16_t>((control & ~(kTypeMask << kTypeShift)) |
                                    ((type & kTypeMask) << kTypeShift) | kEnable);
}

// The sleep types in AML that begins at the name segment: "_S5_" PackageOp PkgLength NumElements
// element element ... ; `before` is the byte in front of it, NameOp or a root or parent prefix.
[[nodiscard]] std::optional<SleepTypes> parse_s5_package(std::byte before,
                                                         std::span<const std::byte> aml);

// Looks for the \_S5_ package in a DSDT or SSDT. AML is not interpreted: the package is a constant
// name in every firmware, and its byte pattern is checked (ACPI, "\_Sx (System States)" and "AML
// Grammar Definition").
template <HpaReader M>
[[nodiscard]] std::optional<SleepTypes> find_s5(M& memory, const Table& table) {
  constexpr std::size_t kPattern = 24;  // the longest form that is parsed, with the byte before it
  constexpr std::size_t kStep = 256;
  std::array<std::byte, kStep + kPattern> window{};
  for (std::uint64_t at = kHeaderSize; at < table.length; at += kStep) {
    const std::size_t size = std::min<std::uint64_t>(window.size(), table.length - at);
    if (!table.copy(memory, at, std::span(window).first(size))) {
      return std::nullopt;
    }
    for (std::size_t i = 1; i + 4 <= size && i <= kStep; ++i) {
      if (std::memcmp(window.data() + i, "_S5_", 4) == 0) {
        const auto types =
            parse_s5_package(window[i - 1], std::span(window).first(size).subspan(i));
        if (types) {
          return types;
        }
      }
    }
  }
  return std::nullopt;
}

}  // namespace archelon::drivers::acpi
