#pragma once

#include <optional>

#include "vmx/capabilities.hpp"
#include "vmx/l0_controls.hpp"
#include "vmx/merge.hpp"

namespace archelon::test {

// L0's controls on a CPU, as the composition clamps them; nothing where L0 does not run on it.
inline std::optional<vmx::L0Policy> l0_policy_on(const vmx::Capabilities& caps) {
  using vmx::ControlWord;
  bool runs = true;
  const auto clamped = [&](ControlWord word, vmx::ControlRequest request) {
    const auto result = vmx::clamp(request.must, request.want, caps.control(word));
    runs = runs && result;
    return static_cast<std::uint32_t>(result ? *result : 0);
  };
  const vmx::L0Policy policy{.pin = clamped(ControlWord::kPin, vmx::kL0Pin),
                             .primary = clamped(ControlWord::kPrimary, vmx::kL0Primary),
                             .secondary = clamped(ControlWord::kSecondary, vmx::kL0Secondary),
                             .exit = clamped(ControlWord::kExit, vmx::kL0Exit),
                             .entry = clamped(ControlWord::kEntry, vmx::kL0Entry),
                             .exception_bitmap = vmx::kL0ExceptionBitmap,
                             .cr0_owned = arch::cr0::kNe | arch::cr0::kNw | arch::cr0::kCd,
                             .cr4_owned = ~std::uint64_t{0x3767ff},
                             .tsc_offset = 1000};
  return runs ? std::optional(policy) : std::nullopt;
}

}  // namespace archelon::test
