#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hv/base/bits.hpp"

// Basic exit reasons. SDM vol. 3D, "VMX Basic Exit Reasons".
// clang-format off
#define ARCHELON_EXIT_REASONS(X) \
  X(kExceptionOrNmi, EXCEPTION_NMI, 0) \
  X(kExternalInterrupt, EXTERNAL_INTERRUPT, 1) \
  X(kTripleFault, TRIPLE_FAULT, 2) \
  X(kInit, INIT, 3) \
  X(kSipi, SIPI, 4) \
  X(kIoSmi, IO_SMI, 5) \
  X(kOtherSmi, OTHER_SMI, 6) \
  X(kInterruptWindow, INTERRUPT_WINDOW, 7) \
  X(kNmiWindow, NMI_WINDOW, 8) \
  X(kTaskSwitch, TASK_SWITCH, 9) \
  X(kCpuid, CPUID, 10) \
  X(kGetsec, GETSEC, 11) \
  X(kHlt, HLT, 12) \
  X(kInvd, INVD, 13) \
  X(kInvlpg, INVLPG, 14) \
  X(kRdpmc, RDPMC, 15) \
  X(kRdtsc, RDTSC, 16) \
  X(kRsm, RSM, 17) \
  X(kVmcall, VMCALL, 18) \
  X(kVmclear, VMCLEAR, 19) \
  X(kVmlaunch, VMLAUNCH, 20) \
  X(kVmptrld, VMPTRLD, 21) \
  X(kVmptrst, VMPTRST, 22) \
  X(kVmread, VMREAD, 23) \
  X(kVmresume, VMRESUME, 24) \
  X(kVmwrite, VMWRITE, 25) \
  X(kVmxoff, VMXOFF, 26) \
  X(kVmxon, VMXON, 27) \
  X(kCrAccess, CR_ACCESS, 28) \
  X(kMovDr, MOV_DR, 29) \
  X(kIoInstruction, IO_INSTRUCTION, 30) \
  X(kRdmsr, RDMSR, 31) \
  X(kWrmsr, WRMSR, 32) \
  X(kEntryFailureGuestState, ENTRY_FAILURE_GUEST_STATE, 33) \
  X(kEntryFailureMsrLoading, ENTRY_FAILURE_MSR_LOADING, 34) \
  X(kMwait, MWAIT, 36) \
  X(kMonitorTrapFlag, MONITOR_TRAP_FLAG, 37) \
  X(kMonitor, MONITOR, 39) \
  X(kPause, PAUSE, 40) \
  X(kEntryFailureMachineCheck, ENTRY_FAILURE_MACHINE_CHECK, 41) \
  X(kTprBelowThreshold, TPR_BELOW_THRESHOLD, 43) \
  X(kApicAccess, APIC_ACCESS, 44) \
  X(kVirtualizedEoi, VIRTUALIZED_EOI, 45) \
  X(kGdtrIdtrAccess, GDTR_IDTR_ACCESS, 46) \
  X(kLdtrTrAccess, LDTR_TR_ACCESS, 47) \
  X(kEptViolation, EPT_VIOLATION, 48) \
  X(kEptMisconfiguration, EPT_MISCONFIGURATION, 49) \
  X(kInvept, INVEPT, 50) \
  X(kRdtscp, RDTSCP, 51) \
  X(kPreemptionTimer, PREEMPTION_TIMER, 52) \
  X(kInvvpid, INVVPID, 53) \
  X(kWbinvd, WBINVD, 54) \
  X(kXsetbv, XSETBV, 55) \
  X(kApicWrite, APIC_WRITE, 56) \
  X(kRdrand, RDRAND, 57) \
  X(kInvpcid, INVPCID, 58) \
  X(kVmfunc, VMFUNC, 59) \
  X(kEncls, ENCLS, 60) \
  X(kRdseed, RDSEED, 61) \
  X(kPmlFull, PML_FULL, 62) \
  X(kXsaves, XSAVES, 63) \
  X(kXrstors, XRSTORS, 64) \
  X(kPconfig, PCONFIG, 65) \
  X(kSppEvent, SPP_EVENT, 66) \
  X(kUmwait, UMWAIT, 67) \
  X(kTpause, TPAUSE, 68) \
  X(kLoadiwkey, LOADIWKEY, 69) \
  X(kEnclv, ENCLV, 70) \
  X(kEnqcmdPasid, ENQCMD_PASID, 72) \
  X(kEnqcmdsPasid, ENQCMDS_PASID, 73) \
  X(kBusLock, BUS_LOCK, 74) \
  X(kInstructionTimeout, INSTRUCTION_TIMEOUT, 75) \
  X(kSeamcall, SEAMCALL, 76) \
  X(kTdcall, TDCALL, 77) \
  X(kRdmsrlist, RDMSRLIST, 78) \
  X(kWrmsrlist, WRMSRLIST, 79)
// clang-format on

namespace archelon::vmx {

enum class BasicExitReason : std::uint16_t {
#define ARCHELON_EXIT_REASON(constant, name, number) constant = number,
  ARCHELON_EXIT_REASONS(ARCHELON_EXIT_REASON)
#undef ARCHELON_EXIT_REASON
};

// One more than the highest known basic reason; tables indexed by reason have this many entries,
// and whatever the hardware reports beyond is "unknown".
inline constexpr std::size_t kExitReasonCount = 80;

namespace detail {
inline constexpr auto kExitReasonNames = [] {
  std::array<std::string_view, kExitReasonCount> names{};
#define ARCHELON_EXIT_REASON(constant, name, number) names[number] = #name;
  ARCHELON_EXIT_REASONS(ARCHELON_EXIT_REASON)
#undef ARCHELON_EXIT_REASON
  return names;
}();
}  // namespace detail

// "EPT_VIOLATION"; "UNKNOWN" for a number that this table does not have.
[[nodiscard]] constexpr std::string_view exit_reason_name(std::uint32_t basic_reason) {
  if (basic_reason >= kExitReasonCount || detail::kExitReasonNames[basic_reason].empty()) {
    return "UNKNOWN";
  }
  return detail::kExitReasonNames[basic_reason];
}
[[nodiscard]] constexpr std::string_view exit_reason_name(BasicExitReason reason) {
  return exit_reason_name(static_cast<std::uint32_t>(reason));
}

// The exit-reason field. SDM vol. 3C, "Basic VM-Exit Information".
struct ExitReason {
  static constexpr std::uint32_t kEnclave = 1u << 27;
  static constexpr std::uint32_t kPendingMtf = 1u << 28;
  static constexpr std::uint32_t kFromRoot = 1u << 29;
  static constexpr std::uint32_t kEntryFailure = 1u << 31;

  std::uint32_t word = 0;

  [[nodiscard]] constexpr BasicExitReason basic() const {
    return static_cast<BasicExitReason>(word & 0xffff);
  }
  [[nodiscard]] constexpr bool entry_failed() const { return (word & kEntryFailure) != 0; }
  [[nodiscard]] static constexpr ExitReason failed_entry(BasicExitReason basic) {
    return {static_cast<std::uint32_t>(basic) | kEntryFailure};
  }
  constexpr bool operator==(const ExitReason&) const = default;
};

}  // namespace archelon::vmx
