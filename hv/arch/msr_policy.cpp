#include "hv/arch/msr_policy.hpp"

#include "hv/base/bits.hpp"

namespace archelon::arch {
namespace {

using namespace msr;
using enum MsrOwner;
using enum MsrWrite;

constexpr std::uint32_t kP5McAddr = 0x0;
constexpr std::uint32_t kP5McType = 0x1;
constexpr std::uint32_t kEblCrPowerOn = 0x2a;
constexpr std::uint32_t kPlatformInfo = 0xce;

// No CPU frequency, thermal, monitor or debug-store control is offered: what the CPUID policy
// hides reads here as unavailable.
constexpr std::uint64_t kMiscEnableReset =
    kMiscEnableFastStrings | kMiscEnableBtsUnavailable | kMiscEnablePebsUnavailable;

constexpr MsrRule kRules[] = {
    // Machine check of the Pentium: software on any later CPU may still read them.
    {kP5McAddr, kP5McType, kBank, "P5_MC", MsrNeed::kNothing, kIgnored},
    {kTsc, kTsc, kTimeStamp, "IA32_TIME_STAMP_COUNTER"},
    {kPlatformId, kPlatformId, kBank, "IA32_PLATFORM_ID"},
    {kApicBase, kApicBase, kLapic, "IA32_APIC_BASE"},
    // Read by several systems to know the bus clock; 0 means nothing special.
    {kEblCrPowerOn, kEblCrPowerOn, kBank, "EBL_CR_POWERON", MsrNeed::kNothing, kIgnored},
    {kFeatureControl, kFeatureControl, kBank, "IA32_FEATURE_CONTROL", MsrNeed::kNothing, kRefused,
     kFeatureControlLocked},
    {kTscAdjust, kTscAdjust, kTimeStamp, "IA32_TSC_ADJUST"},
    {kSpecCtrl, kSpecCtrl, kPassThrough, "IA32_SPEC_CTRL", MsrNeed::kSpecCtrl},
    {kPredCmd, kPredCmd, kPassThrough, "IA32_PRED_CMD", MsrNeed::kPredCmd},
    {kMicrocodeUpdate, kMicrocodeUpdate, kBank, "IA32_BIOS_UPDT_TRIG", MsrNeed::kNothing, kIgnored},
    {kMicrocodeSignature, kMicrocodeSignature, kBank, "IA32_BIOS_SIGN_ID", MsrNeed::kNothing,
     kIgnored},
    {kSmmMonitorControl, kSmmMonitorControl, kBank, "IA32_SMM_MONITOR_CTL", MsrNeed::kVmx},
    // No CPUID faulting, no programmable ratios.
    {kPlatformInfo, kPlatformInfo, kBank, "MSR_PLATFORM_INFO"},
    // 8 variable ranges, the fixed ranges, write combining.
    {kMtrrCap, kMtrrCap, kBank, "IA32_MTRRCAP", MsrNeed::kNothing, kRefused,
     8 | kMtrrCapFixed | kMtrrCapWc},
    {kArchCapabilities, kArchCapabilities, kBank, "IA32_ARCH_CAPABILITIES",
     MsrNeed::kArchCapabilities},
    {kFlushCmd, kFlushCmd, kPassThrough, "IA32_FLUSH_CMD", MsrNeed::kFlushCmd},
    {kSysenterCs, kSysenterEip, kPassThrough, "IA32_SYSENTER"},
    // No machine-check banks and no MCG_CTL.
    {kMcgCap, kMcgCap, kBank, "IA32_MCG_CAP"},
    {kMcgStatus, kMcgStatus, kBank, "IA32_MCG_STATUS", MsrNeed::kNothing, kMasked, 0,
     bit_mask(2, 0)},
    {kMiscEnable, kMiscEnable, kBank, "IA32_MISC_ENABLE", MsrNeed::kNothing, kMasked,
     kMiscEnableReset, kMiscEnableFastStrings, bit_mask(38, 0)},
    {kDebugCtl, kDebugCtl, kVmcs, "IA32_DEBUGCTL"},
    {kMtrrPhysBase0, kMtrrPhysBase0 + 15, kBank, "IA32_MTRR_PHYS", MsrNeed::kNothing,
     kMtrrVariable},
    {kMtrrFix64k00000, kMtrrFix64k00000, kBank, "IA32_MTRR_FIX64K", MsrNeed::kNothing, kMtrrFixed},
    {kMtrrFix16k80000, kMtrrFix16kA0000, kBank, "IA32_MTRR_FIX16K", MsrNeed::kNothing, kMtrrFixed},
    {kMtrrFix4kC0000, kMtrrFix4kF8000, kBank, "IA32_MTRR_FIX4K", MsrNeed::kNothing, kMtrrFixed},
    // In the VMCS, and in the CPU while the guest runs: the CPU checks it.
    {kPat, kPat, kPassThrough, "IA32_PAT"},
    {kMtrrDefType, kMtrrDefType, kBank, "IA32_MTRR_DEF_TYPE", MsrNeed::kNothing, kMtrrDefault},
    {kVmxFirst, kVmxLast, kVmxCapability, "IA32_VMX", MsrNeed::kVmx},
    {kTscDeadline, kTscDeadline, kLapic, "IA32_TSC_DEADLINE"},
    {kX2apicFirst, kX2apicLast, kLapic, "x2APIC"},
    // No supervisor state component is offered: 0 is all that can be written.
    {kXss, kXss, kBank, "IA32_XSS", MsrNeed::kXsaves, kMasked},
    {kEfer, kEfer, kVmcs, "IA32_EFER"},
    {kStar, kFmask, kPassThrough, "IA32_STAR"},
    {kFsBase, kKernelGsBase, kPassThrough, "IA32_FS_BASE"},
    {kTscAux, kTscAux, kPassThrough, "IA32_TSC_AUX", MsrNeed::kTscAux},
};

consteval bool is_sorted() {
  std::uint64_t next = 0;
  for (const MsrRule& rule : kRules) {
    if (rule.first < next || rule.last < rule.first) {
      return false;
    }
    next = std::uint64_t{rule.last} + 1;
  }
  return true;
}
static_assert(is_sorted());

consteval std::size_t bank_slots() {
  std::size_t count = 0;
  for (const MsrRule& rule : kRules) {
    count += rule.owner == kBank ? rule.last - rule.first + 1 : 0;
  }
  return count;
}
static_assert(bank_slots() == kMsrBankSlots);

// What a guest may believe of the hardware's immunities. Not: controls whose MSRs are not offered
// (TSX_CTRL, ENERGY_FILTERING_CTL, DOITM, FB_CLEAR_CTRL, GDS_CTRL, XAPIC_DISABLE_STATUS, ...).
constexpr std::uint64_t kArchCapabilitiesOffered =
    kArchCapRdclNo | kArchCapIbrsAll | kArchCapRsbAlternate | kArchCapSkipL1dFlush | kArchCapSsbNo |
    kArchCapMdsNo | kArchCapPschangeMcNo | kArchCapTaaNo |
    bit_mask(15, 13) |           // SBDR_SSDP_NO, FBSDP_NO, PSDP_NO
    kArchCapFbClear | bit(19) |  // RRSBA
    bit(20) |                    // BHI_NO
    bit(24) |                    // PBRSB_NO
    bit(26) |                    // GDS_NO
    bit_mask(28, 27) |           // RFDS_NO, RFDS_CLEAR
    bit(62);                     // ITS_NO

}  // namespace

std::span<const MsrRule> msr_rules() {
  return kRules;
}

const MsrRule* find_msr_rule(std::uint32_t index) {
  std::size_t low = 0;
  std::size_t high = std::size(kRules);
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (index < kRules[middle].first) {
      high = middle;
    } else if (index > kRules[middle].last) {
      low = middle + 1;
    } else {
      return &kRules[middle];
    }
  }
  return nullptr;
}

bool MsrConfig::has(MsrNeed need) const {
  switch (need) {
    case MsrNeed::kNothing:
      return true;
    case MsrNeed::kVmx:
      return vmx;
    case MsrNeed::kSpecCtrl:
      return spec_ctrl;
    case MsrNeed::kPredCmd:
      return pred_cmd;
    case MsrNeed::kFlushCmd:
      return flush_cmd;
    case MsrNeed::kArchCapabilities:
      return arch_capabilities;
    case MsrNeed::kXsaves:
      return xsaves;
    case MsrNeed::kTscAux:
      return tsc_aux;
  }
  return false;
}

MsrConfig make_msr_config(const CpuidTable& cpuid, std::uint64_t arch_capabilities,
                          std::uint32_t microcode_revision) {
  using namespace cpuid;
  MsrConfig config;
  config.vmx = cpuid.has_1_ecx(k1EcxVmx);
  config.spec_ctrl =
      cpuid.has_7_edx(k7EdxIbrs) || cpuid.has_7_edx(k7EdxStibp) || cpuid.has_7_edx(k7EdxSsbd);
  config.pred_cmd = cpuid.has_7_edx(k7EdxIbrs);
  config.flush_cmd = cpuid.has_7_edx(k7EdxL1dFlush);
  config.arch_capabilities = cpuid.has_7_edx(k7EdxArchCapabilities);
  config.xsaves = cpuid.has_xsaves();
  config.tsc_aux = cpuid.has_rdtscp() || cpuid.has_rdpid();
  config.physical_bits = cpuid.physical_bits();
  config.arch_capabilities_value = arch_capabilities & kArchCapabilitiesOffered;
  config.microcode_revision = microcode_revision;
  return config;
}

MsrOwner msr_owner(std::uint32_t index, const MsrConfig& config) {
  const MsrRule* rule = find_msr_rule(index);
  return rule != nullptr && config.has(rule->need) ? rule->owner : kAbsent;
}

bool msr_read_exits(std::uint32_t index, const MsrConfig& config) {
  const MsrOwner owner = msr_owner(index, config);
  return owner != kPassThrough && owner != kVmcs && index != msr::kTsc;
}

bool msr_write_exits(std::uint32_t index, const MsrConfig& config) {
  return msr_owner(index, config) != kPassThrough;
}

}  // namespace archelon::arch
