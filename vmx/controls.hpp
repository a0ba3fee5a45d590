#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "hv/base/bits.hpp"
#include "vmx/control_list.hpp"

// The bits of the control words, by name, and their names for printing.
namespace archelon::vmx {

#define ARCHELON_CONTROL32(constant, name, n) \
  inline constexpr std::uint32_t constant = std::uint32_t{1} << (n);
#define ARCHELON_CONTROL64(constant, name, n) inline constexpr std::uint64_t constant = bit(n);

namespace pin {
ARCHELON_PIN_CONTROLS(ARCHELON_CONTROL32)
}  // namespace pin
namespace primary {
ARCHELON_PRIMARY_CONTROLS(ARCHELON_CONTROL32)
}  // namespace primary
namespace secondary {
ARCHELON_SECONDARY_CONTROLS(ARCHELON_CONTROL32)
}  // namespace secondary
namespace tertiary {
ARCHELON_TERTIARY_CONTROLS(ARCHELON_CONTROL64)
}  // namespace tertiary
namespace exit_controls {
ARCHELON_EXIT_CONTROLS(ARCHELON_CONTROL32)
}  // namespace exit_controls
namespace entry_controls {
ARCHELON_ENTRY_CONTROLS(ARCHELON_CONTROL32)
}  // namespace entry_controls

#undef ARCHELON_CONTROL32
#undef ARCHELON_CONTROL64

enum class ControlWord : std::uint8_t { kPin, kPrimary, kSecondary, kTertiary, kExit, kEntry };
inline constexpr unsigned kControlWordCount = 6;

struct ControlBit {
  std::uint64_t mask;
  std::string_view name;
};

// The named bits of a control word, lowest first.
[[nodiscard]] std::span<const ControlBit> control_bits(ControlWord word);

// "pin-based", "primary", ... for messages.
[[nodiscard]] std::string_view control_word_name(ControlWord word);

// The SDM's name of the lowest bit of `mask`; "reserved" where it has none.
[[nodiscard]] std::string_view control_name(ControlWord word, std::uint64_t mask);

}  // namespace archelon::vmx
