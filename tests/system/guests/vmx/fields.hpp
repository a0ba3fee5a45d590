// VMCS fields and control bits (SDM volume 3, appendix "Field Encoding in VMCS").
#pragma once

#include <cstdint>

namespace guest::vmx {

enum class Field : std::uint32_t {
  kVpid = 0x0000,
  kGuestEs = 0x0800,
  kGuestCs = 0x0802,
  kGuestSs = 0x0804,
  kGuestDs = 0x0806,
  kGuestFs = 0x0808,
  kGuestGs = 0x080a,
  kGuestLdtr = 0x080c,
  kGuestTr = 0x080e,
  kHostEs = 0x0c00,
  kHostCs = 0x0c02,
  kHostSs = 0x0c04,
  kHostDs = 0x0c06,
  kHostFs = 0x0c08,
  kHostGs = 0x0c0a,
  kHostTr = 0x0c0c,
  kIoBitmapA = 0x2000,
  kIoBitmapB = 0x2002,
  kMsrBitmap = 0x2004,
  kExitMsrStore = 0x2006,
  kExitMsrLoad = 0x2008,
  kEntryMsrLoad = 0x200a,
  kTscOffset = 0x2010,
  kVirtualApicPage = 0x2012,
  kApicAccess = 0x2014,
  kEptPointer = 0x201a,
  kGuestPhysicalAddress = 0x2400,
  kVmcsLink = 0x2800,
  kGuestDebugctl = 0x2802,
  kGuestPat = 0x2804,
  kGuestEfer = 0x2806,
  kHostPat = 0x2c00,
  kHostEfer = 0x2c02,
  kPinControls = 0x4000,
  kProcControls = 0x4002,
  kExceptionBitmap = 0x4004,
  kPageFaultMask = 0x4006,
  kPageFaultMatch = 0x4008,
  kCr3TargetCount = 0x400a,
  kExitControls = 0x400c,
  kExitMsrStoreCount = 0x400e,
  kExitMsrLoadCount = 0x4010,
  kEntryControls = 0x4012,
  kEntryMsrLoadCount = 0x4014,
  kEntryInterruption = 0x4016,
  kEntryErrorCode = 0x4018,
  kEntryInstructionLength = 0x401a,
  kTprThreshold = 0x401c,
  kProcControls2 = 0x401e,
  kInstructionError = 0x4400,
  kExitReason = 0x4402,
  kExitInterruption = 0x4404,
  kExitErrorCode = 0x4406,
  kIdtVectoring = 0x4408,
  kIdtVectoringError = 0x440a,
  kExitInstructionLength = 0x440c,
  kExitInstructionInfo = 0x440e,
  kGuestEsLimit = 0x4800,
  kGuestCsLimit = 0x4802,
  kGuestSsLimit = 0x4804,
  kGuestDsLimit = 0x4806,
  kGuestFsLimit = 0x4808,
  kGuestGsLimit = 0x480a,
  kGuestLdtrLimit = 0x480c,
  kGuestTrLimit = 0x480e,
  kGuestGdtrLimit = 0x4810,
  kGuestIdtrLimit = 0x4812,
  kGuestEsRights = 0x4814,
  kGuestCsRights = 0x4816,
  kGuestSsRights = 0x4818,
  kGuestDsRights = 0x481a,
  kGuestFsRights = 0x481c,
  kGuestGsRights = 0x481e,
  kGuestLdtrRights = 0x4820,
  kGuestTrRights = 0x4822,
  kGuestInterruptibility = 0x4824,
  kGuestActivity = 0x4826,
  kGuestSysenterCs = 0x482a,
  kPreemptionTimer = 0x482e,
  kHostSysenterCs = 0x4c00,
  kCr0Mask = 0x6000,
  kCr4Mask = 0x6002,
  kCr0Shadow = 0x6004,
  kCr4Shadow = 0x6006,
  kExitQualification = 0x6400,
  kGuestLinearAddress = 0x640a,
  kGuestCr0 = 0x6800,
  kGuestCr3 = 0x6802,
  kGuestCr4 = 0x6804,
  kGuestEsBase = 0x6806,
  kGuestCsBase = 0x6808,
  kGuestSsBase = 0x680a,
  kGuestDsBase = 0x680c,
  kGuestFsBase = 0x680e,
  kGuestGsBase = 0x6810,
  kGuestLdtrBase = 0x6812,
  kGuestTrBase = 0x6814,
  kGuestGdtrBase = 0x6816,
  kGuestIdtrBase = 0x6818,
  kGuestDr7 = 0x681a,
  kGuestRsp = 0x681c,
  kGuestRip = 0x681e,
  kGuestRflags = 0x6820,
  kGuestPendingDebug = 0x6822,
  kGuestSysenterEsp = 0x6824,
  kGuestSysenterEip = 0x6826,
  kHostCr0 = 0x6c00,
  kHostCr3 = 0x6c02,
  kHostCr4 = 0x6c04,
  kHostFsBase = 0x6c06,
  kHostGsBase = 0x6c08,
  kHostTrBase = 0x6c0a,
  kHostGdtrBase = 0x6c0c,
  kHostIdtrBase = 0x6c0e,
  kHostSysenterEsp = 0x6c10,
  kHostSysenterEip = 0x6c12,
  kHostRsp = 0x6c14,
  kHostRip = 0x6c16,
};

namespace pin {
inline constexpr std::uint32_t kExternalInterrupt = 1U << 0;
inline constexpr std::uint32_t kNmi = 1U << 3;
inline constexpr std::uint32_t kVirtualNmi = 1U << 5;
inline constexpr std::uint32_t kPreemptionTimer = 1U << 6;
}  // namespace pin

namespace proc {
inline constexpr std::uint32_t kInterruptWindow = 1U << 2;
inline constexpr std::uint32_t kTscOffsetting = 1U << 3;
inline constexpr std::uint32_t kHlt = 1U << 7;
inline constexpr std::uint32_t kInvlpg = 1U << 9;
inline constexpr std::uint32_t kRdtsc = 1U << 12;
inline constexpr std::uint32_t kCr3Load = 1U << 15;
inline constexpr std::uint32_t kCr3Store = 1U << 16;
inline constexpr std::uint32_t kCr8Load = 1U << 19;
inline constexpr std::uint32_t kCr8Store = 1U << 20;
inline constexpr std::uint32_t kTprShadow = 1U << 21;
inline constexpr std::uint32_t kNmiWindow = 1U << 22;
inline constexpr std::uint32_t kMovDr = 1U << 23;
inline constexpr std::uint32_t kUnconditionalIo = 1U << 24;
inline constexpr std::uint32_t kIoBitmaps = 1U << 25;
inline constexpr std::uint32_t kMsrBitmaps = 1U << 28;
inline constexpr std::uint32_t kSecondary = 1U << 31;
}  // namespace proc

namespace proc2 {
inline constexpr std::uint32_t kEpt = 1U << 1;
inline constexpr std::uint32_t kRdtscp = 1U << 3;
inline constexpr std::uint32_t kX2apic = 1U << 4;
inline constexpr std::uint32_t kVpid = 1U << 5;
inline constexpr std::uint32_t kUnrestricted = 1U << 7;
}  // namespace proc2

namespace exit_control {
inline constexpr std::uint32_t kHost64 = 1U << 9;
inline constexpr std::uint32_t kAcknowledge = 1U << 15;
inline constexpr std::uint32_t kLoadEfer = 1U << 21;
}  // namespace exit_control

namespace entry_control {
inline constexpr std::uint32_t kGuest64 = 1U << 9;
inline constexpr std::uint32_t kSmm = 1U << 10;
inline constexpr std::uint32_t kDualMonitor = 1U << 11;
inline constexpr std::uint32_t kLoadPat = 1U << 14;
inline constexpr std::uint32_t kLoadEfer = 1U << 15;
}  // namespace entry_control

namespace reason {
inline constexpr std::uint32_t kException = 0;
inline constexpr std::uint32_t kExternalInterrupt = 1;
inline constexpr std::uint32_t kTripleFault = 2;
inline constexpr std::uint32_t kInterruptWindow = 7;
inline constexpr std::uint32_t kNmiWindow = 8;
inline constexpr std::uint32_t kCpuid = 10;
inline constexpr std::uint32_t kHlt = 12;
inline constexpr std::uint32_t kInvlpg = 14;
inline constexpr std::uint32_t kRdtsc = 16;
inline constexpr std::uint32_t kVmcall = 18;
inline constexpr std::uint32_t kCrAccess = 28;
inline constexpr std::uint32_t kDrAccess = 29;
inline constexpr std::uint32_t kIo = 30;
inline constexpr std::uint32_t kRdmsr = 31;
inline constexpr std::uint32_t kWrmsr = 32;
inline constexpr std::uint32_t kInvalidGuestState = 33;
inline constexpr std::uint32_t kMsrLoading = 34;
inline constexpr std::uint32_t kTprBelowThreshold = 43;
inline constexpr std::uint32_t kEptViolation = 48;
inline constexpr std::uint32_t kEptMisconfiguration = 49;
inline constexpr std::uint32_t kPreemptionTimer = 52;
inline constexpr std::uint32_t kEntryFailure = 1U << 31;
}  // namespace reason

const char* reason_name(std::uint32_t reason);

}  // namespace guest::vmx
