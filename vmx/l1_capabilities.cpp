#include "vmx/l1_capabilities.hpp"

#include "hv/arch/cr.hpp"
#include "hv/base/address.hpp"
#include "vmx/field_exists.hpp"
#include "vmx/offered_controls.hpp"

namespace archelon::vmx {
namespace {

namespace msr = arch::msr;

// Bits that are 1 on every CPU unless the TRUE MSRs say otherwise. SDM vol. 3D, "Reserved Controls
// and Default Settings".
constexpr std::uint64_t kDefault1Pin = 0x16;
constexpr std::uint64_t kDefault1Primary = 0x0401e172;
constexpr std::uint64_t kDefault1Exit = 0x36dff;
constexpr std::uint64_t kDefault1Entry = 0x11ff;

std::uint64_t offered_mask(ControlWord word) {
  std::uint64_t mask = 0;
  for (const OfferedControl& control : offered_controls()) {
    if (control.word == word && control.offered) {
      mask |= control.mask;
    }
  }
  return mask;
}

ControlCapability offer(const Capabilities& hardware, ControlWord word) {
  const ControlCapability capability = hardware.control(word);
  return {.must = capability.must, .may = (capability.may & offered_mask(word)) | capability.must};
}

// Takes `mask` from what may be set, except what the hardware insists on.
void withdraw(ControlCapability& capability, std::uint64_t mask) {
  capability.may &= ~(mask & ~capability.must);
}

constexpr std::uint64_t to_msr(ControlCapability capability) {
  return capability.must | (capability.may << 32);
}

constexpr std::uint64_t to_default_msr(ControlCapability capability, std::uint64_t default1) {
  return to_msr({.must = capability.must | default1, .may = capability.may | default1});
}

// Controls that the SDM lets be 1 only beside another one, which this CPU or the list lacks.
void withdraw_dependents(ControlCapability& pins, ControlCapability& primaries,
                         ControlCapability& secondaries, ControlCapability& exits) {
  if (!pins.can_set(pin::kVirtualNmis)) {
    withdraw(primaries, primary::kNmiWindowExiting);
  }
  if (!pins.can_set(pin::kPreemptionTimer)) {
    withdraw(exits, exit_controls::kSavePreemptionTimer);
  }
  if (!secondaries.can_set(secondary::kEnableEpt)) {
    withdraw(secondaries, secondary::kUnrestrictedGuest);
  }
  if (secondaries.may == 0) {
    withdraw(primaries, primary::kActivateSecondary);
  }
}

}  // namespace

Capabilities l1_capabilities(const Capabilities& hardware, std::uint64_t l1_cr4) {
  ControlCapability pins = offer(hardware, ControlWord::kPin);
  ControlCapability primaries = offer(hardware, ControlWord::kPrimary);
  ControlCapability secondaries = offer(hardware, ControlWord::kSecondary);
  ControlCapability exits = offer(hardware, ControlWord::kExit);
  const ControlCapability entries = offer(hardware, ControlWord::kEntry);
  withdraw_dependents(pins, primaries, secondaries, exits);

  Capabilities l1;
  l1[msr::kVmxBasic] = kVmcs12Revision | (std::uint64_t{kPageSize} << 32) | basic::kMemoryTypeWb |
                       (hardware[msr::kVmxBasic] & offered::kBasicFromHardware);
  l1[msr::kVmxPinbasedCtls] = to_default_msr(pins, kDefault1Pin);
  l1[msr::kVmxProcbasedCtls] = to_default_msr(primaries, kDefault1Primary);
  l1[msr::kVmxExitCtls] = to_default_msr(exits, kDefault1Exit);
  l1[msr::kVmxEntryCtls] = to_default_msr(entries, kDefault1Entry);
  if (l1.has(msr::kVmxBasic, basic::kTrueControls)) {
    l1[msr::kVmxTruePinbasedCtls] = to_msr(pins);
    l1[msr::kVmxTrueProcbasedCtls] = to_msr(primaries);
    l1[msr::kVmxTrueExitCtls] = to_msr(exits);
    l1[msr::kVmxTrueEntryCtls] = to_msr(entries);
  }
  l1[msr::kVmxProcbasedCtls2] = to_msr(secondaries);

  std::uint64_t misc_bits = hardware[msr::kVmxMisc] & offered::kMiscFromHardware;
  if (hardware.cr3_targets() > offered::kMaxCr3Targets) {
    misc_bits &= ~misc::kCr3Targets;
    misc_bits |= std::uint64_t{offered::kMaxCr3Targets} << 16;
  }
  l1[msr::kVmxMisc] = misc_bits;

  l1[msr::kVmxCr0Fixed0] = hardware[msr::kVmxCr0Fixed0];
  l1[msr::kVmxCr0Fixed1] = hardware[msr::kVmxCr0Fixed1];
  l1[msr::kVmxCr4Fixed0] = hardware[msr::kVmxCr4Fixed0];
  l1[msr::kVmxCr4Fixed1] =
      hardware[msr::kVmxCr4Fixed1] & (l1_cr4 | hardware[msr::kVmxCr4Fixed0] | arch::cr4::kVmxe);

  std::uint64_t ept_vpid_bits = hardware[msr::kVmxEptVpidCap] & offered::kEptVpidFromHardware;
  if (!secondaries.can_set(secondary::kEnableEpt)) {
    ept_vpid_bits &= bit_mask(63, 32);
  }
  if (!secondaries.can_set(secondary::kEnableVpid)) {
    ept_vpid_bits &= bit_mask(31, 0);
  }
  l1[msr::kVmxEptVpidCap] = ept_vpid_bits;
  l1[msr::kVmxVmcsEnum] = highest_field_index(l1) << 1;
  return l1;
}

}  // namespace archelon::vmx
