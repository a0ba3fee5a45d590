#include "vmx/capabilities.hpp"

namespace archelon::vmx {
namespace {

namespace msr = arch::msr;

constexpr ControlCapability from_msr(std::uint64_t value) {
  return {.must = bit_field(value, 31, 0), .may = bit_field(value, 63, 32)};
}

}  // namespace

ControlCapability Capabilities::control(ControlWord word) const {
  const Capabilities& caps = *this;
  const bool true_msrs = has(msr::kVmxBasic, basic::kTrueControls);
  switch (word) {
    case ControlWord::kPin:
      return from_msr(caps[true_msrs ? msr::kVmxTruePinbasedCtls : msr::kVmxPinbasedCtls]);
    case ControlWord::kPrimary:
      return from_msr(caps[true_msrs ? msr::kVmxTrueProcbasedCtls : msr::kVmxProcbasedCtls]);
    case ControlWord::kSecondary:
      return from_msr(caps[msr::kVmxProcbasedCtls2]);
    case ControlWord::kTertiary:
      return {.must = 0, .may = caps[msr::kVmxProcbasedCtls3]};
    case ControlWord::kExit:
      return from_msr(caps[true_msrs ? msr::kVmxTrueExitCtls : msr::kVmxExitCtls]);
    case ControlWord::kEntry:
      return from_msr(caps[true_msrs ? msr::kVmxTrueEntryCtls : msr::kVmxEntryCtls]);
  }
  return {};
}

bool capability_msr_exists(const Capabilities& caps, std::uint32_t index) {
  // "May be 1" is in the upper half of a control's MSR.
  const auto offers = [&caps](std::uint32_t control_msr, std::uint32_t mask) {
    return (caps[control_msr] & (static_cast<std::uint64_t>(mask) << 32)) != 0;
  };
  switch (index) {
    case msr::kVmxProcbasedCtls2:
      return offers(msr::kVmxProcbasedCtls, primary::kActivateSecondary);
    case msr::kVmxEptVpidCap:
      return offers(msr::kVmxProcbasedCtls2, secondary::kEnableEpt | secondary::kEnableVpid);
    case msr::kVmxTruePinbasedCtls:
    case msr::kVmxTrueProcbasedCtls:
    case msr::kVmxTrueExitCtls:
    case msr::kVmxTrueEntryCtls:
      return caps.has(msr::kVmxBasic, basic::kTrueControls);
    case msr::kVmxVmfunc:
      return offers(msr::kVmxProcbasedCtls2, secondary::kEnableVmFunctions);
    case msr::kVmxProcbasedCtls3:
      return offers(msr::kVmxProcbasedCtls, primary::kActivateTertiary);
    case msr::kVmxExitCtls2:
      return offers(msr::kVmxExitCtls, exit_controls::kActivateSecondary);
    default:
      return index >= msr::kVmxFirst && index <= msr::kVmxVmcsEnum;
  }
}

std::optional<std::uint64_t> Capabilities::read_msr(std::uint32_t index) const {
  if (!capability_msr_exists(*this, index)) {
    return std::nullopt;
  }
  return (*this)[index];
}

std::optional<std::uint32_t> first_disagreement(const Capabilities& a, const Capabilities& b) {
  for (std::uint32_t index = msr::kVmxFirst; index <= msr::kVmxLast; ++index) {
    if (a[index] != b[index]) {
      return index;
    }
  }
  return std::nullopt;
}

}  // namespace archelon::vmx
