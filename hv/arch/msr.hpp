#pragma once

#include <cstdint>

#include "hv/base/bits.hpp"

// Model-specific registers: indices and the bits of their values. SDM vol. 4, "Architectural MSRs".
namespace archelon::arch::msr {

inline constexpr std::uint32_t kTsc = 0x10;
inline constexpr std::uint32_t kPlatformId = 0x17;
inline constexpr std::uint32_t kApicBase = 0x1b;
inline constexpr std::uint32_t kFeatureControl = 0x3a;
inline constexpr std::uint32_t kTscAdjust = 0x3b;
inline constexpr std::uint32_t kSpecCtrl = 0x48;
inline constexpr std::uint32_t kPredCmd = 0x49;
inline constexpr std::uint32_t kMicrocodeUpdate = 0x79;
inline constexpr std::uint32_t kMicrocodeSignature = 0x8b;
inline constexpr std::uint32_t kSmmMonitorControl = 0x9b;
inline constexpr std::uint32_t kSmbase = 0x9e;
inline constexpr std::uint32_t kPmc0 = 0xc1;
inline constexpr std::uint32_t kCoreCapabilities = 0xcf;
inline constexpr std::uint32_t kUmwaitControl = 0xe1;
inline constexpr std::uint32_t kMperf = 0xe7;
inline constexpr std::uint32_t kAperf = 0xe8;
inline constexpr std::uint32_t kMtrrCap = 0xfe;
inline constexpr std::uint32_t kArchCapabilities = 0x10a;
inline constexpr std::uint32_t kFlushCmd = 0x10b;
inline constexpr std::uint32_t kTsxCtrl = 0x122;
inline constexpr std::uint32_t kMcuOptCtrl = 0x123;
inline constexpr std::uint32_t kMiscFeatureEnables = 0x140;
inline constexpr std::uint32_t kSysenterCs = 0x174;
inline constexpr std::uint32_t kSysenterEsp = 0x175;
inline constexpr std::uint32_t kSysenterEip = 0x176;
inline constexpr std::uint32_t kMcgCap = 0x179;
inline constexpr std::uint32_t kMcgStatus = 0x17a;
inline constexpr std::uint32_t kMcgCtl = 0x17b;
inline constexpr std::uint32_t kPerfEvtSel0 = 0x186;
inline constexpr std::uint32_t kPerfStatus = 0x198;
inline constexpr std::uint32_t kPerfCtl = 0x199;
inline constexpr std::uint32_t kThermStatus = 0x19c;
inline constexpr std::uint32_t kMiscEnable = 0x1a0;
inline constexpr std::uint32_t kEnergyPerfBias = 0x1b0;
inline constexpr std::uint32_t kDebugCtl = 0x1d9;
inline constexpr std::uint32_t kSmrrPhysBase = 0x1f2;
inline constexpr std::uint32_t kSmrrPhysMask = 0x1f3;
inline constexpr std::uint32_t kMtrrPhysBase0 = 0x200;  // base n at +2n, mask n at +2n+1
inline constexpr std::uint32_t kMtrrPhysMask0 = 0x201;
inline constexpr std::uint32_t kMtrrFix64k00000 = 0x250;
inline constexpr std::uint32_t kMtrrFix16k80000 = 0x258;
inline constexpr std::uint32_t kMtrrFix16kA0000 = 0x259;
inline constexpr std::uint32_t kMtrrFix4kC0000 = 0x268;  // to 0x26f, 32 KiB each
inline constexpr std::uint32_t kMtrrFix4kF8000 = 0x26f;
inline constexpr std::uint32_t kPat = 0x277;
inline constexpr std::uint32_t kMtrrDefType = 0x2ff;
inline constexpr std::uint32_t kFixedCtrCtrl = 0x38d;
inline constexpr std::uint32_t kPerfGlobalStatus = 0x38e;
inline constexpr std::uint32_t kPerfGlobalCtrl = 0x38f;
inline constexpr std::uint32_t kPerfGlobalOvfCtrl = 0x390;
inline constexpr std::uint32_t kMc0Ctl = 0x400;  // bank n at +4n: CTL, STATUS, ADDR, MISC
inline constexpr std::uint32_t kMc0Status = 0x401;
inline constexpr std::uint32_t kRtitCtl = 0x570;
inline constexpr std::uint32_t kDsArea = 0x600;
inline constexpr std::uint32_t kUCet = 0x6a0;
inline constexpr std::uint32_t kSCet = 0x6a2;
inline constexpr std::uint32_t kPl0Ssp = 0x6a4;
inline constexpr std::uint32_t kPl3Ssp = 0x6a7;
inline constexpr std::uint32_t kInterruptSspTable = 0x6a8;
inline constexpr std::uint32_t kTscDeadline = 0x6e0;
inline constexpr std::uint32_t kPkrs = 0x6e1;
inline constexpr std::uint32_t kBndCfgs = 0xd90;
inline constexpr std::uint32_t kXss = 0xda0;

// VMX capability MSRs. SDM vol. 3D, "VMX Capability Reporting Facility".
inline constexpr std::uint32_t kVmxBasic = 0x480;
inline constexpr std::uint32_t kVmxPinbasedCtls = 0x481;
inline constexpr std::uint32_t kVmxProcbasedCtls = 0x482;
inline constexpr std::uint32_t kVmxExitCtls = 0x483;
inline constexpr std::uint32_t kVmxEntryCtls = 0x484;
inline constexpr std::uint32_t kVmxMisc = 0x485;
inline constexpr std::uint32_t kVmxCr0Fixed0 = 0x486;
inline constexpr std::uint32_t kVmxCr0Fixed1 = 0x487;
inline constexpr std::uint32_t kVmxCr4Fixed0 = 0x488;
inline constexpr std::uint32_t kVmxCr4Fixed1 = 0x489;
inline constexpr std::uint32_t kVmxVmcsEnum = 0x48a;
inline constexpr std::uint32_t kVmxProcbasedCtls2 = 0x48b;
inline constexpr std::uint32_t kVmxEptVpidCap = 0x48c;
inline constexpr std::uint32_t kVmxTruePinbasedCtls = 0x48d;
inline constexpr std::uint32_t kVmxTrueProcbasedCtls = 0x48e;
inline constexpr std::uint32_t kVmxTrueExitCtls = 0x48f;
inline constexpr std::uint32_t kVmxTrueEntryCtls = 0x490;
inline constexpr std::uint32_t kVmxVmfunc = 0x491;
inline constexpr std::uint32_t kVmxProcbasedCtls3 = 0x492;
inline constexpr std::uint32_t kVmxExitCtls2 = 0x493;
inline constexpr std::uint32_t kVmxFirst = kVmxBasic;
inline constexpr std::uint32_t kVmxLast = kVmxExitCtls2;

// x2APIC registers: MSR 0x800 + (MMIO offset >> 4). SDM vol. 3A, "x2APIC Register Address Space".
inline constexpr std::uint32_t kX2apicFirst = 0x800;
inline constexpr std::uint32_t kX2apicLast = 0x8ff;
inline constexpr std::uint32_t kX2apicId = 0x802;
inline constexpr std::uint32_t kX2apicVersion = 0x803;
inline constexpr std::uint32_t kX2apicTpr = 0x808;
inline constexpr std::uint32_t kX2apicPpr = 0x80a;
inline constexpr std::uint32_t kX2apicEoi = 0x80b;
inline constexpr std::uint32_t kX2apicLdr = 0x80d;
inline constexpr std::uint32_t kX2apicSivr = 0x80f;
inline constexpr std::uint32_t kX2apicIsr0 = 0x810;
inline constexpr std::uint32_t kX2apicTmr0 = 0x818;
inline constexpr std::uint32_t kX2apicIrr0 = 0x820;
inline constexpr std::uint32_t kX2apicEsr = 0x828;
inline constexpr std::uint32_t kX2apicLvtCmci = 0x82f;
inline constexpr std::uint32_t kX2apicIcr = 0x830;
inline constexpr std::uint32_t kX2apicLvtTimer = 0x832;
inline constexpr std::uint32_t kX2apicLvtThermal = 0x833;
inline constexpr std::uint32_t kX2apicLvtPerf = 0x834;
inline constexpr std::uint32_t kX2apicLvtLint0 = 0x835;
inline constexpr std::uint32_t kX2apicLvtLint1 = 0x836;
inline constexpr std::uint32_t kX2apicLvtError = 0x837;
inline constexpr std::uint32_t kX2apicTimerInitial = 0x838;
inline constexpr std::uint32_t kX2apicTimerCurrent = 0x839;
inline constexpr std::uint32_t kX2apicTimerDivide = 0x83e;
inline constexpr std::uint32_t kX2apicSelfIpi = 0x83f;

inline constexpr std::uint32_t kEfer = 0xc0000080;
inline constexpr std::uint32_t kStar = 0xc0000081;
inline constexpr std::uint32_t kLstar = 0xc0000082;
inline constexpr std::uint32_t kCstar = 0xc0000083;
inline constexpr std::uint32_t kFmask = 0xc0000084;
inline constexpr std::uint32_t kFsBase = 0xc0000100;
inline constexpr std::uint32_t kGsBase = 0xc0000101;
inline constexpr std::uint32_t kKernelGsBase = 0xc0000102;
inline constexpr std::uint32_t kTscAux = 0xc0000103;

// IA32_APIC_BASE.
inline constexpr std::uint64_t kApicBaseBsp = bit(8);
inline constexpr std::uint64_t kApicBaseX2apic = bit(10);
inline constexpr std::uint64_t kApicBaseEnable = bit(11);
inline constexpr std::uint64_t kApicBaseAddress = bit_mask(51, 12);

// IA32_FEATURE_CONTROL.
inline constexpr std::uint64_t kFeatureControlLocked = bit(0);
inline constexpr std::uint64_t kFeatureControlVmxInSmx = bit(1);
inline constexpr std::uint64_t kFeatureControlVmxOutsideSmx = bit(2);
inline constexpr std::uint64_t kFeatureControlSgxLaunch = bit(17);
inline constexpr std::uint64_t kFeatureControlSgxGlobal = bit(18);
inline constexpr std::uint64_t kFeatureControlLmce = bit(20);

// IA32_SPEC_CTRL, IA32_PRED_CMD, IA32_FLUSH_CMD.
inline constexpr std::uint64_t kSpecCtrlIbrs = bit(0);
inline constexpr std::uint64_t kSpecCtrlStibp = bit(1);
inline constexpr std::uint64_t kSpecCtrlSsbd = bit(2);
inline constexpr std::uint64_t kPredCmdIbpb = bit(0);
inline constexpr std::uint64_t kFlushCmdL1d = bit(0);

// IA32_ARCH_CAPABILITIES.
inline constexpr std::uint64_t kArchCapRdclNo = bit(0);
inline constexpr std::uint64_t kArchCapIbrsAll = bit(1);
inline constexpr std::uint64_t kArchCapRsbAlternate = bit(2);
inline constexpr std::uint64_t kArchCapSkipL1dFlush = bit(3);
inline constexpr std::uint64_t kArchCapSsbNo = bit(4);
inline constexpr std::uint64_t kArchCapMdsNo = bit(5);
inline constexpr std::uint64_t kArchCapPschangeMcNo = bit(6);
inline constexpr std::uint64_t kArchCapTsxCtrl = bit(7);
inline constexpr std::uint64_t kArchCapTaaNo = bit(8);
inline constexpr std::uint64_t kArchCapFbClear = bit(17);

// IA32_MISC_ENABLE.
inline constexpr std::uint64_t kMiscEnableFastStrings = bit(0);
inline constexpr std::uint64_t kMiscEnablePerfmon = bit(7);
inline constexpr std::uint64_t kMiscEnableBtsUnavailable = bit(11);
inline constexpr std::uint64_t kMiscEnablePebsUnavailable = bit(12);
inline constexpr std::uint64_t kMiscEnableMonitor = bit(18);
inline constexpr std::uint64_t kMiscEnableLimitCpuid = bit(22);
inline constexpr std::uint64_t kMiscEnableXdDisable = bit(34);

// IA32_DEBUGCTL.
inline constexpr std::uint64_t kDebugCtlLbr = bit(0);
inline constexpr std::uint64_t kDebugCtlBtf = bit(1);
inline constexpr std::uint64_t kDebugCtlBusLockDetect = bit(2);
inline constexpr std::uint64_t kDebugCtlFreezeWhileSmm = bit(14);
inline constexpr std::uint64_t kDebugCtlRtm = bit(15);

// MTRRs. SDM vol. 3A, "Memory Type Range Registers (MTRRs)".
inline constexpr std::uint64_t kMtrrCapCount = bit_mask(7, 0);
inline constexpr std::uint64_t kMtrrCapFixed = bit(8);
inline constexpr std::uint64_t kMtrrCapWc = bit(10);
inline constexpr std::uint64_t kMtrrCapSmrr = bit(11);
inline constexpr std::uint64_t kMtrrDefTypeType = bit_mask(7, 0);
inline constexpr std::uint64_t kMtrrDefTypeFixedEnable = bit(10);
inline constexpr std::uint64_t kMtrrDefTypeEnable = bit(11);
inline constexpr std::uint64_t kMtrrPhysMaskValid = bit(11);

// Memory types as MTRRs, PAT and EPT encode them; kUcMinus exists in PAT alone.
inline constexpr std::uint8_t kMemoryUc = 0;
inline constexpr std::uint8_t kMemoryWc = 1;
inline constexpr std::uint8_t kMemoryWt = 4;
inline constexpr std::uint8_t kMemoryWp = 5;
inline constexpr std::uint8_t kMemoryWb = 6;
inline constexpr std::uint8_t kMemoryUcMinus = 7;
inline constexpr std::uint64_t kPatReset = 0x0007040600070406;

// True for a PAT value that WRMSR accepts: every byte is a memory type.
[[nodiscard]] constexpr bool is_valid_pat(std::uint64_t pat) {
  for (unsigned i = 0; i < 8; ++i) {
    const auto type = bit_field(pat, i * 8 + 7, i * 8);
    if (type == 2 || type == 3 || type > 7) {
      return false;
    }
  }
  return true;
}

}  // namespace archelon::arch::msr
