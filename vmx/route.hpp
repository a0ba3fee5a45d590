#pragma once

#include <cstdint>
#include <optional>

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
  { context.gpr(gpr) } -> std::same_as<std::uint64_t>;            // of L2, RSP included
  { context.in_64bit_mode() } -> std::same_as<bool>;              // L2 is
  { context.msr_intercepted(msr, write) } -> std::same_as<bool>;  // by L1's MSR bitmap
  { context.io_intercepted(port, size) } -> std::same_as<bool>;   // by L1's I/O bitmaps
};

namespace detail {

template <VmcsView V>
[[nodiscard]] bool exception_wanted(const Exit& exit, V& vmcs12) {
  if (exit.interruption.type() == EventType::kNmi) {
    return (vmcs12.read(fields::kPinControls) & pin::kNmiExiting) != 0;
  }
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
      const std::uint64_t operand = context.gpr(access.gpr);
      const std::uint64_t value = context.in_64bit_mode() ? operand : bit_field(operand, 31, 0);
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
      return (primary12 &
              (access.cr == 3 ? primary::kCr3StoreExiting : primary::kCr8StoreExiting)) != 0;
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

// Exits that one control causes: of the pin-based, primary or secondary words.
struct CausingControl {
  std::uint32_t pin = 0;
  std::uint32_t primary = 0;
  std::uint32_t secondary = 0;
};

[[nodiscard]] constexpr std::optional<CausingControl> causing_control(BasicExitReason reason) {
  using enum BasicExitReason;
  switch (reason) {
    case kExternalInterrupt:
      return CausingControl{.pin = pin::kExternalInterruptExiting};
    case kPreemptionTimer:
      return CausingControl{.pin = pin::kPreemptionTimer};
    case kInterruptWindow:
      return CausingControl{.primary = primary::kInterruptWindowExiting};
    case kNmiWindow:
      return CausingControl{.primary = primary::kNmiWindowExiting};
    case kMonitorTrapFlag:
      return CausingControl{.primary = primary::kMonitorTrapFlag};
    case kHlt:
      return CausingControl{.primary = primary::kHltExiting};
    case kInvlpg:
    case kInvpcid:  // without "enable INVPCID" the instruction is undefined, here and below
      return CausingControl{.primary = primary::kInvlpgExiting};
    case kRdpmc:
      return CausingControl{.primary = primary::kRdpmcExiting};
    case kRdtsc:
    case kRdtscp:
    case kUmwait:
    case kTpause:
      return CausingControl{.primary = primary::kRdtscExiting};
    case kMovDr:
      return CausingControl{.primary = primary::kMovDrExiting};
    case kMwait:
      return CausingControl{.primary = primary::kMwaitExiting};
    case kMonitor:
      return CausingControl{.primary = primary::kMonitorExiting};
    case kPause:
      return CausingControl{.primary = primary::kPauseExiting,
                            .secondary = secondary::kPauseLoopExiting};
    case kTprBelowThreshold:
      return CausingControl{.primary = primary::kTprShadow};
    case kApicAccess:
      return CausingControl{.secondary = secondary::kVirtualizeApicAccesses};
    case kApicWrite:
      return CausingControl{.secondary = secondary::kApicRegisterVirtualization |
                                         secondary::kVirtualInterruptDelivery};
    case kVirtualizedEoi:
      return CausingControl{.secondary = secondary::kVirtualInterruptDelivery};
    case kGdtrIdtrAccess:
    case kLdtrTrAccess:
      return CausingControl{.secondary = secondary::kDescriptorTableExiting};
    case kEptViolation:
    case kEptMisconfiguration:
      return CausingControl{.secondary = secondary::kEnableEpt};
    case kWbinvd:
      return CausingControl{.secondary = secondary::kWbinvdExiting};
    case kRdrand:
      return CausingControl{.secondary = secondary::kRdrandExiting};
    case kRdseed:
      return CausingControl{.secondary = secondary::kRdseedExiting};
    case kXsaves:
    case kXrstors:
      return CausingControl{.secondary = secondary::kEnableXsaves};
    case kVmfunc:
      return CausingControl{.secondary = secondary::kEnableVmFunctions};
    case kEncls:
      return CausingControl{.secondary = secondary::kEnableEnclsExiting};
    case kEnclv:
      return CausingControl{.secondary = secondary::kEnableEnclvExiting};
    case kPmlFull:
      return CausingControl{.secondary = secondary::kEnablePml};
    case kSppEvent:
      return CausingControl{.secondary = secondary::kSubPageWritePermissions};
    case kPconfig:
      return CausingControl{.secondary = secondary::kEnablePconfig};
    case kEnqcmdPasid:
    case kEnqcmdsPasid:
      return CausingControl{.secondary = secondary::kPasidTranslation};
    case kBusLock:
      return CausingControl{.secondary = secondary::kBusLockDetection};
    case kInstructionTimeout:
      return CausingControl{.secondary = secondary::kInstructionTimeout};
    case kLoadiwkey:
    case kRdmsrlist:
    case kWrmsrlist:
      return CausingControl{};  // tertiary controls are not offered
    default:
      // CPUID, INVD, XSETBV, GETSEC, the VMX instructions, task switches, triple faults, INIT:
      // these exit unconditionally, so that there is nobody but L1 to handle them.
      return std::nullopt;
  }
}

}  // namespace detail

template <VmcsView V, RouteContext E>
[[nodiscard]] bool l1_wants(const Exit& exit, V& vmcs12, E& context) {
  using enum BasicExitReason;
  switch (exit.basic()) {
    case kExceptionOrNmi:
      return detail::exception_wanted(exit, vmcs12);
    case kCrAccess:
      return detail::cr_access_wanted(exit, vmcs12, context);
    case kIoInstruction:
      return detail::io_wanted(exit, vmcs12, context);
    case kRdmsr:
    case kWrmsr:
      return (vmcs12.read(fields::kPrimaryProcControls) & primary::kMsrBitmaps) == 0 ||
             context.msr_intercepted(truncate<std::uint32_t>(context.gpr(arch::Gpr::kRcx)),
                                     exit.basic() == kWrmsr);
    default:
      break;
  }
  const std::optional<detail::CausingControl> control = detail::causing_control(exit.basic());
  return !control || (vmcs12.read(fields::kPinControls) & control->pin) != 0 ||
         (vmcs12.read(fields::kPrimaryProcControls) & control->primary) != 0 ||
         (secondary_controls(vmcs12) & control->secondary) != 0;
}

}  // namespace archelon::vmx
