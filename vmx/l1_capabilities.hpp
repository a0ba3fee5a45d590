#pragma once

#include <cstdint>

#include "vmx/capabilities.hpp"

// The capability MSRs that L1 sees: what offered_controls.cpp and the masks here allow, intersected
// with the hardware. L1 can build the same again for its own guests.
namespace archelon::vmx {

// Our VMCS revision identifier: the number of the layout in vmcs12_image.hpp. Bit 31 is clear.
inline constexpr std::uint32_t kVmcs12Revision = 0x41524301;

namespace offered {

inline constexpr std::uint64_t kBasicFromHardware =
    basic::kInsOutsInformation | basic::kTrueControls | basic::kAnyErrorCode;
// Activity states shutdown and wait-for-SIPI, PT, SMM: L1 is told that there are none.
inline constexpr std::uint64_t kMiscFromHardware =
    misc::kPreemptionTimerRate | misc::kExitSavesLma | misc::kActivityHlt | misc::kCr3Targets |
    misc::kMsrListSize | misc::kVmwriteAnyField | misc::kInjectZeroLength;
// Not: 5-level walks and supervisor shadow stacks (not composed), advanced exit information (the
// guest's paging rights are not at hand where L0 finds the violation itself).
inline constexpr std::uint64_t kEptVpidFromHardware =
    ept_vpid::kExecuteOnly | ept_vpid::kWalk4 | ept_vpid::kMemoryUc | ept_vpid::kMemoryWb |
    ept_vpid::kPage2m | ept_vpid::kPage1g | ept_vpid::kInvept | ept_vpid::kAccessedDirty |
    ept_vpid::kInveptSingle | ept_vpid::kInveptAll | ept_vpid::kInvvpid |
    ept_vpid::kInvvpidAddress | ept_vpid::kInvvpidSingle | ept_vpid::kInvvpidAll |
    ept_vpid::kInvvpidSingleRetainGlobals;
// Of the CR3-target values only four have fields.
inline constexpr unsigned kMaxCr3Targets = 4;

}  // namespace offered

// What L1 is shown on a CPU with `hardware`. `l1_cr4` are the CR4 bits that L1's CPUID allows; CR4
// bits outside it are fixed to 0 in VMX operation for L1.
[[nodiscard]] Capabilities l1_capabilities(const Capabilities& hardware,
                                           std::uint64_t l1_cr4 = ~std::uint64_t{0});

}  // namespace archelon::vmx
