#include "vmx/controls.hpp"

#include <array>

namespace archelon::vmx {
namespace {

#define ARCHELON_CONTROL_ROW(constant, name, n) ControlBit{bit(n), name},
constexpr auto kPinBits = std::to_array<ControlBit>({ARCHELON_PIN_CONTROLS(ARCHELON_CONTROL_ROW)});
constexpr auto kPrimaryBits =
    std::to_array<ControlBit>({ARCHELON_PRIMARY_CONTROLS(ARCHELON_CONTROL_ROW)});
constexpr auto kSecondaryBits =
    std::to_array<ControlBit>({ARCHELON_SECONDARY_CONTROLS(ARCHELON_CONTROL_ROW)});
constexpr auto kTertiaryBits =
    std::to_array<ControlBit>({ARCHELON_TERTIARY_CONTROLS(ARCHELON_CONTROL_ROW)});
constexpr auto kExitBits =
    std::to_array<ControlBit>({ARCHELON_EXIT_CONTROLS(ARCHELON_CONTROL_ROW)});
constexpr auto kEntryBits =
    std::to_array<ControlBit>({ARCHELON_ENTRY_CONTROLS(ARCHELON_CONTROL_ROW)});
#undef ARCHELON_CONTROL_ROW

}  // namespace

std::span<const ControlBit> control_bits(ControlWord word) {
  switch (word) {
    case ControlWord::kPin:
      return kPinBits;
    case ControlWord::kPrimary:
      return kPrimaryBits;
    case ControlWord::kSecondary:
      return kSecondaryBits;
    case ControlWord::kTertiary:
      return kTertiaryBits;
    case ControlWord::kExit:
      return kExitBits;
    case ControlWord::kEntry:
      return kEntryBits;
  }
  return {};
}

std::string_view control_word_name(ControlWord word) {
  constexpr std::array<std::string_view, kControlWordCount> kNames = {
      "pin-based", "primary", "secondary", "tertiary", "VM-exit", "VM-entry"};
  return kNames[static_cast<unsigned>(word) % kControlWordCount];
}

std::string_view control_name(ControlWord word, std::uint64_t mask) {
  const std::uint64_t lowest = mask & (~mask + 1);
  for (const ControlBit& control : control_bits(word)) {
    if (control.mask == lowest) {
      return control.name;
    }
  }
  return "reserved";
}

}  // namespace archelon::vmx
