#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/registers.hpp"
#include "vmx/exit.hpp"
#include "vmx/merge.hpp"
#include "vmx/qualification.hpp"

// Whether L1 asked for an exit of its L2: the second of the two predicates that route exits. The
// first, what L0 keeps for itself (interrupts, its timer, shadow-EPT fills), comes before it.
// SDM vol. 3C, "Instructions That Cause VM Exits", "Other Causes of VM Exits".
namespace archelon::vmx {

// What the decision needs beside the exit and VMCS12.
template <class E>
concept RouteContext = requires(E& context, arch::Gpr gpr, std::uint32_t msr, bool write,
                                std::uint16_t port, unsigned size) {
  { context.gpr(gpr) } -> std::same_as<std::uint64_t>;  // of L2, RSP included
  { context.msr_intercepted(msr, write) } -> std::same_as<bool>;  // by L1's MSR bitmap
  { context.io_intercepted(port, size) } -> std::same_as<bool>;   // by L1's I/O bitmaps
};

namespace detail {

template <VmcsView V>
[[nodiscard]] bool exception_wanted(const Exit& exit, V& vmcs12) {
  const std::uint8_t vector = exit.interruption.vector();
  bool wanted = (vmcs12.read(fields::kExceptionBitmap) >> (vector & 31) & 1) != 0;
  if (exit.interruption.is_exception(arch::Vector::kPf)) {
    // SDM vol. 3C, "Exception Bitmap": a mismatch turns the bitmap's bit around.
    const bool match = (exit.interruption_error & vmcs12.read(fields::kPageFaultErrorCodeMask)) ==
                       vmcs12.read(fields::kPageFaultErrorCodeMatch);
    wanted = wanted == match;
  }
  return wanted;
}

// A write of `value` to CR0 or CR4 changes a bit that L1 masks, compared with its read shadow.
[[nodiscard]] constexpr bool masked_write(std::uint64_t value, std::uint64_t mask,
                                          std::uint64_t shadow) {
  return ((value ^ shadow) & mask) != 0;
}

template <VmcsView V>
[[nodiscard]] bool is_cr3_target(std::uint64_t value, V& vmcs12) {
  const std::uint32_t count = vmcs12.read(fields::kCr3TargetCount);
  for (std::uint32_t i = 0; i < count && i < 4; ++i) {
    if (vmcs12.read(fields::kCr3TargetValue0.at(i)) == value) {
      return true;
    }
  }
  return false;
}

template <VmcsView V, RouteContext E>
[[nodiscard]] bool cr_access_wanted(const Exit& exit, V& vmcs12, E& context) {
  const CrAccess access = CrAccess::decode(exit.qualification);
  const std::uint32_t primary12 = vmcs12.read(fields::kPrimaryProcControls);
  const std::uint64_t mask0 = vmcs12.read(fields::kCr0GuestHostMask);
  const std::uint64_t shadow0 = vmcs12.read(fields::kCr0ReadShadow);
  switch (access.kind) {
    case CrAccess::Kind::kMovToCr: {
      const std::uint64_t value = context.gpr(access.gpr);
      switch (access.cr) {
        case 0:
          return masked_write(value, mask0, shadow0);
        case 3:
          return (primary12 & primary::kCr3LoadExiting) != 0 && !is_cr3_target(value, vmcs12);
        case 4:
          return masked_write(value, vmcs12.read(fields::kCr4GuestHostMask),
                              vmcs12.read(fields::kCr4ReadShadow));
        default:
          return (primary12 & primary::kCr8LoadExiting) != 0;
      }
    }
    case CrAccess::Kind::kMovFromCr:
      return (primary12 & (access.cr == 3 ? primary::kCr3StoreExiting
                                          : primary::kCr8StoreExiting)) != 0;
    case CrAccess::Kind::kClts:
      return (mask0 & shadow0 & arch::cr0::kTs) != 0;
    case CrAccess::Kind::kLmsw: {
      // LMSW cannot clear PE, so that only setting it counts.
      constexpr std::uint64_t kRest = arch::cr0::kMp | arch::cr0::kEm | arch::cr0::kTs;
      const std::uint64_t source = access.lmsw_source;
      return masked_write(source, mask0 & kRest, shadow0) ||
             (mask0 & ~shadow0 & source & arch::cr0::kPe) != 0;
    }
  }
  return true;
}

template <VmcsView V, RouteContext E>
[[nodiscard]] bool io_wanted(const Exit& exit, V& vmcs12, E& context) {
  const std::uint32_t primary12 = vmcs12.read(fields::kPrimaryProcControls);
  if ((primary12 & primary::kIoBitmaps) == 0) {
    return (primary12 & primary::kUnconditionalIoExiting) != 0;
  }
  const IoAccess access = IoAccess::decode(exit.qualification);
  return context.io_intercepted(access.port, access.size);
}

}  // namespace detail

template <VmcsView V, RouteContext E>
[[nodiscard]] bool l1_wants(const Exit& exit, V& vmcs12, E& context) {
  using enum BasicExitReason;
  const std::uint32_t primary12 = vmcs12.read(fields::kPrimaryProcControls);
  const std::uint32_t secondary12 = secondary_controls(vmcs12);
  switch (exit.basic()) {
    case kExceptionOrNmi:
      return detail::exception_wanted(exit, vmcs12);
    case kInterruptWindow:
      return (primary12 & primary::kInterruptWindowExiting) != 0;
    case kNmiWindow:
      return (primary12 & primary::kNmiWindowExiting) != 0;
    case kHlt:
      return (primary12 & primary::kHltExiting) != 0;
    case kInvlpg:
      return (primary12 & primary::kInvlpgExiting) != 0;
    case kInvpcid:
      return (primary12 & primary::kInvlpgExiting) != 0 &&
             (secondary12 & secondary::kEnableInvpcid) != 0;
    case kRdpmc:
      return (primary12 & primary::kRdpmcExiting) != 0;
    case kRdtsc:
    case kRdtscp:
      return (primary12 & primary::kRdtscExiting) != 0;
    case kCrAccess:
      return detail::cr_access_wanted(exit, vmcs12, context);
    case kMovDr:
      return (primary12 & primary::kMovDrExiting) != 0;
    case kIoInstruction:
      return detail::io_wanted(exit, vmcs12, context);
    case kRdmsr:
    case kWrmsr:
      return (primary12 & primary::kMsrBitmaps) == 0 ||
             context.msr_intercepted(
                 static_cast<std::uint32_t>(context.gpr(arch::Gpr::kRcx)),
                 exit.basic() == kWrmsr);
    case kMwait:
      return (primary12 & primary::kMwaitExiting) != 0;
    case kMonitor:
      return (primary12 & primary::kMonitorExiting) != 0;
    case kPause:
      return (primary12 & primary::kPauseExiting) != 0 ||
             (secondary12 & secondary::kPauseLoopExiting) != 0;
    case kTprBelowThreshold:
      return (primary12 & primary::kTprShadow) != 0;
    case kApicAccess:
      return (secondary12 & secondary::kVirtualizeApicAccesses) != 0;
    case kGdtrIdtrAccess:
    case kLdtrTrAccess:
      return (secondary12 & secondary::kDescriptorTableExiting) != 0;
    case kWbinvd:
      return (secondary12 & secondary::kWbinvdExiting) != 0;
    case kRdrand:
      return (secondary12 & secondary::kRdrandExiting) != 0;
    case kRdseed:
      return (secondary12 & secondary::kRdseedExiting) != 0;
    case kXsaves:
    case kXrstors:
      return (secondary12 & secondary::kEnableXsaves) != 0;
    default:
      // CPUID, INVD, XSETBV, GETSEC, the VMX instructions, task switches, triple faults, INIT:
      // these exit unconditionally, so that there is nobody but L1 to handle them.
      return true;
  }
}

}  // namespace archelon::vmx
