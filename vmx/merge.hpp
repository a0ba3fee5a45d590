#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "vmx/controls.hpp"
#include "vmx/vmcs_view.hpp"

// What the CPU runs L2 with: VMCS02's controls from L0's own needs and VMCS12. Values in, values
// out; nothing of VMCS12 gets through that is not named here. design.md, section 3, "Merge".
namespace archelon::vmx {

// What L0 needs while an L2 runs, the same for every L2 of a vCPU.
struct L0Policy {
  std::uint32_t pin = 0;
  std::uint32_t primary = 0;
  std::uint32_t secondary = 0;  // without the bits that say what an L2 may do: see kL2Features
  std::uint32_t exit = 0;
  std::uint32_t entry = 0;
  std::uint32_t exception_bitmap = 0;
  std::uint64_t cr0_owned = 0;  // bits of CR0 and CR4 which no guest sets in the hardware itself
  std::uint64_t cr4_owned = 0;
  std::uint64_t tsc_offset = 0;  // VMCS01's
};

// Intercepts and features of L2 that pass from VMCS12 into VMCS02 as they are. Everything else is
// composed by hand below or handled by L0 in software (windows, I/O and MSR bitmaps, timers).
inline constexpr std::uint32_t kPinFromL1 = pin::kNmiExiting | pin::kVirtualNmis;
inline constexpr std::uint32_t kPrimaryFromL1 =
    primary::kInterruptWindowExiting | primary::kNmiWindowExiting | primary::kHltExiting |
    primary::kInvlpgExiting | primary::kMwaitExiting | primary::kRdpmcExiting |
    primary::kRdtscExiting | primary::kCr3LoadExiting | primary::kCr3StoreExiting |
    primary::kCr8LoadExiting | primary::kCr8StoreExiting | primary::kTprShadow |
    primary::kMovDrExiting | primary::kMonitorExiting | primary::kPauseExiting;
inline constexpr std::uint32_t kSecondaryFromL1 =
    secondary::kDescriptorTableExiting | secondary::kEnableRdtscp | secondary::kWbinvdExiting |
    secondary::kUnrestrictedGuest | secondary::kPauseLoopExiting | secondary::kRdrandExiting |
    secondary::kEnableInvpcid | secondary::kRdseedExiting | secondary::kEnableXsaves;
// L0's own secondary controls that are features for the guest rather than intercepts: L2 has them
// only from its L1.
inline constexpr std::uint32_t kL2Features = secondary::kEnableRdtscp | secondary::kEnableInvpcid |
                                             secondary::kEnableXsaves |
                                             secondary::kUnrestrictedGuest;

struct MergedControls {
  std::uint32_t pin = 0;
  std::uint32_t primary = 0;
  std::uint32_t secondary = 0;
  std::uint32_t exit = 0;
  std::uint32_t entry = 0;
  std::uint32_t exception_bitmap = 0;
  std::uint32_t page_fault_mask = 0;
  std::uint32_t page_fault_match = 0;
  std::uint64_t cr0_mask = 0;
  std::uint64_t cr4_mask = 0;
  std::uint64_t tsc_offset = 0;

  bool operator==(const MergedControls&) const = default;
};

// VMCS12's secondary controls as they count: none without "activate secondary controls".
template <VmcsView V>
[[nodiscard]] std::uint32_t secondary_controls(V& vmcs12) {
  return (vmcs12.read(fields::kPrimaryProcControls) & primary::kActivateSecondary) != 0
             ? vmcs12.read(fields::kSecondaryProcControls)
             : 0;
}

template <VmcsView V>
[[nodiscard]] MergedControls merge_controls(V& vmcs12, const L0Policy& l0) {
  const std::uint32_t primary12 = vmcs12.read(fields::kPrimaryProcControls);
  const std::uint32_t secondary12 = secondary_controls(vmcs12);
  MergedControls merged;
  merged.pin = l0.pin | (vmcs12.read(fields::kPinControls) & kPinFromL1);
  merged.primary = (l0.primary & ~(primary::kHltExiting | primary::kCr8LoadExiting |
                                   primary::kCr8StoreExiting)) |
                   (primary12 & kPrimaryFromL1);
  // HLT is left to L0 where L1 does not want it, since a halted CPU is L0's to schedule; so is CR8,
  // which is L1's own task priority unless L1 gives L2 a shadow of one.
  merged.primary |= primary::kHltExiting;
  if ((primary12 & primary::kTprShadow) == 0) {
    merged.primary |= primary::kCr8LoadExiting | primary::kCr8StoreExiting;
  }
  merged.secondary = (l0.secondary & ~kL2Features) | (secondary12 & kSecondaryFromL1);
  merged.exit = l0.exit;
  merged.entry = l0.entry | (vmcs12.read(fields::kEntryControls) & entry_controls::kIa32eModeGuest);
  const std::uint32_t exceptions12 = vmcs12.read(fields::kExceptionBitmap);
  merged.exception_bitmap = l0.exception_bitmap | exceptions12;
  // L0 wants no page faults, so that L1's choice of error codes holds unchanged.
  merged.page_fault_mask = vmcs12.read(fields::kPageFaultErrorCodeMask);
  merged.page_fault_match = vmcs12.read(fields::kPageFaultErrorCodeMatch);
  merged.cr0_mask = l0.cr0_owned | vmcs12.read(fields::kCr0GuestHostMask);
  merged.cr4_mask = l0.cr4_owned | vmcs12.read(fields::kCr4GuestHostMask);
  merged.tsc_offset = l0.tsc_offset;
  if ((primary12 & primary::kTscOffsetting) != 0) {
    merged.tsc_offset += vmcs12.read(fields::kTscOffset);
  }
  return merged;
}

// A control register of L2 as three parties see it: L2 itself through masks and shadow, L1 in
// VMCS12, the CPU in VMCS02. `owned` are the bits that L0 keeps at `fixed` in the hardware.
struct ControlRegister {
  std::uint64_t owned = 0;
  std::uint64_t fixed = 0;

  // VMCS02's register for VMCS12's.
  [[nodiscard]] constexpr std::uint64_t hardware(std::uint64_t register12) const {
    return (register12 & ~owned) | (fixed & owned);
  }
  // VMCS02's read shadow: L1's for the bits that L1 masks, else L2's own value.
  [[nodiscard]] constexpr std::uint64_t shadow(std::uint64_t register12, std::uint64_t mask12,
                                               std::uint64_t shadow12) const {
    return (shadow12 & mask12) | (register12 & ~mask12);
  }
  // VMCS12's register after L2 ran: bits that the hardware holds, and of the owned ones what L1
  // keeps masked (L2 could not change it) or L0's emulation left in the shadow.
  [[nodiscard]] constexpr std::uint64_t register12(std::uint64_t hardware02, std::uint64_t shadow02,
                                                   std::uint64_t mask12,
                                                   std::uint64_t before12) const {
    return (hardware02 & ~owned) | (before12 & owned & mask12) | (shadow02 & owned & ~mask12);
  }
};

}  // namespace archelon::vmx
