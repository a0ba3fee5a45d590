#include "hv/arch/msr_bank.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <utility>

#include "hv/base/bits.hpp"

using namespace archelon;
using namespace archelon::arch;
using namespace archelon::arch::msr;

namespace {

constexpr MsrConfig kFull{.vmx = true,
                          .spec_ctrl = true,
                          .pred_cmd = true,
                          .flush_cmd = true,
                          .arch_capabilities = true,
                          .xsaves = true,
                          .tsc_aux = true,
                          .physical_bits = 39,
                          .arch_capabilities_value = 0x6b,
                          .microcode_revision = 0x2000065};
constexpr MsrConfig kBare{};

MsrBank bank_of(const MsrConfig& config) {
  MsrBank bank;
  bank.reset(config);
  return bank;
}

}  // namespace

TEST_CASE("Who looks after which MSR") {
  CHECK(msr_owner(kFsBase, kBare) == MsrOwner::kPassThrough);
  CHECK(msr_owner(kKernelGsBase, kBare) == MsrOwner::kPassThrough);
  CHECK(msr_owner(kSysenterEsp, kBare) == MsrOwner::kPassThrough);
  CHECK(msr_owner(kPat, kBare) == MsrOwner::kPassThrough);
  CHECK(msr_owner(kEfer, kBare) == MsrOwner::kVmcs);
  CHECK(msr_owner(kApicBase, kBare) == MsrOwner::kLapic);
  CHECK(msr_owner(kX2apicIcr, kBare) == MsrOwner::kLapic);
  CHECK(msr_owner(kTscDeadline, kBare) == MsrOwner::kLapic);
  CHECK(msr_owner(kVmxBasic, kFull) == MsrOwner::kVmxCapability);
  CHECK(msr_owner(kVmxLast, kFull) == MsrOwner::kVmxCapability);
  CHECK(msr_owner(kMtrrCap, kBare) == MsrOwner::kBank);
  // What needs a feature that is not there, and what is nowhere in the list.
  for (const std::uint32_t index : {kVmxBasic, kSpecCtrl, kPredCmd, kFlushCmd, kArchCapabilities,
                                    kXss, kTscAux, kSmmMonitorControl}) {
    CHECK(msr_owner(index, kBare) == MsrOwner::kAbsent);
    CHECK(msr_owner(index, kFull) != MsrOwner::kAbsent);
  }
  for (const std::uint32_t index : {2U,
                                    0x1adU,
                                    0x34U,
                                    0x606U,
                                    kMiscFeatureEnables,
                                    kEnergyPerfBias,
                                    kPmc0,
                                    kPerfGlobalCtrl,
                                    kMperf,
                                    kRtitCtl,
                                    kSCet,
                                    kPkrs,
                                    kBndCfgs,
                                    kMc0Ctl,
                                    kMcgCtl,
                                    kSmbase,
                                    kTsxCtrl,
                                    0x210U,
                                    0x251U,
                                    0x260U,
                                    0x7ffU,
                                    0x900U,
                                    0x494U,
                                    0xc0000084U + 1,
                                    0xc0010015U,
                                    0x40000000U,
                                    0xffffffffU}) {
    CHECK(msr_owner(index, kFull) == MsrOwner::kAbsent);
  }
}

TEST_CASE("The intercepts follow from the owner") {
  std::map<std::uint32_t, std::pair<bool, bool>> open;
  for_each_open_msr(kFull, [&](std::uint32_t index, bool read, bool write) {
    open[index] = {read, write};
  });
  CHECK(open.at(kLstar) == std::pair(false, false));
  CHECK(open.at(kSpecCtrl) == std::pair(false, false));
  CHECK(open.at(kTsc) == std::pair(false, true));
  CHECK(open.at(kEfer) == std::pair(false, true));
  CHECK(open.at(kDebugCtl) == std::pair(false, true));
  for (const std::uint32_t index : {kTscAdjust, kApicBase, kX2apicEoi, kX2apicTpr, kFeatureControl,
                                    kVmxBasic, kXss, kMtrrDefType, kTscDeadline}) {
    CHECK_FALSE(open.contains(index));
    CHECK(msr_read_exits(index, kFull));
    CHECK(msr_write_exits(index, kFull));
  }
  CHECK(msr_read_exits(0x12345, kFull));
  CHECK(msr_write_exits(kSpecCtrl, kBare));
}

TEST_CASE("Values at power-on, and what cannot be written") {
  MsrBank bank = bank_of(kFull);
  CHECK(bank.read(kFeatureControl).value() == 5);
  CHECK(bank_of(kBare).read(kFeatureControl).value() == 1);
  CHECK(bank.read(kMtrrCap).value() == 0x508);
  CHECK(bank.read(kArchCapabilities).value() == 0x6b);
  CHECK(bank.read(kMicrocodeSignature).value() == 0x0200'0065'0000'0000);
  CHECK(bank.read(kMcgCap).value() == 0);
  CHECK(bank.read(0).value() == 0);
  CHECK(bank.read(0xce).value() == 0);
  CHECK(bank.read(kMiscEnable).value() == 0x1801);
  for (const std::uint32_t index : {kFeatureControl, kMtrrCap, kArchCapabilities, kMcgCap, 0xceU,
                                    kPlatformId, kSmmMonitorControl}) {
    CHECK_FALSE(bank.write(index, bank.read(index).value()).ok());
  }
  CHECK(bank.write(kMicrocodeSignature, 0).ok());
  CHECK(bank.read(kMicrocodeSignature).value() == 0x0200'0065'0000'0000);
  CHECK(bank.write(kMicrocodeUpdate, 0xffff'8000'0000'1000).ok());
  CHECK_FALSE(bank.read(kMicrocodeUpdate).ok());
  for (const std::uint32_t index : {kLstar, kEfer, kApicBase, kTsc, kVmxBasic, 0x1adU}) {
    CHECK_FALSE(bank.read(index).ok());
    CHECK_FALSE(bank.write(index, 0).ok());
  }
  CHECK_FALSE(bank_of(kBare).read(kArchCapabilities).ok());
  CHECK_FALSE(bank_of(kBare).read(kXss).ok());
}

TEST_CASE("Masked writes") {
  MsrBank bank = bank_of(kFull);
  // Setting MONITOR or clearing read-only bits has no effect; reserved bits fault.
  CHECK(bank.write(kMiscEnable, kMiscEnableMonitor | kMiscEnableLimitCpuid).ok());
  CHECK(bank.read(kMiscEnable).value() == 0x1800);
  CHECK(bank.write(kMiscEnable, 0x1801 | kMiscEnableXdDisable).ok());
  CHECK(bank.read(kMiscEnable).value() == 0x1801);
  CHECK_FALSE(bank.write(kMiscEnable, bit(63)).ok());
  CHECK(bank.write(kXss, 0).ok());
  CHECK_FALSE(bank.write(kXss, 0x100).ok());
  CHECK(bank.write(kMcgStatus, 4).ok());
  CHECK(bank.read(kMcgStatus).value() == 4);
  CHECK_FALSE(bank.write(kMcgStatus, 8).ok());
}

TEST_CASE("MTRRs keep what is valid and refuse the rest") {
  MsrBank bank = bank_of(kFull);
  CHECK(bank.write(kMtrrPhysBase0 + 14, 0x7f'ffff'f006).ok());
  CHECK(bank.read(kMtrrPhysBase0 + 14).value() == 0x7f'ffff'f006);
  CHECK(bank.write(kMtrrPhysBase0 + 15, 0x7f'8000'0800).ok());
  CHECK_FALSE(bank.write(kMtrrPhysBase0, 0x80'0000'0006).ok());  // beyond 39 bits
  CHECK_FALSE(bank.write(kMtrrPhysBase0, 0x1002).ok());          // type 2
  CHECK_FALSE(bank.write(kMtrrPhysBase0, 0x1007).ok());
  CHECK_FALSE(bank.write(kMtrrPhysBase0, 0x1106).ok());
  CHECK_FALSE(bank.write(kMtrrPhysMask0, 0x1801).ok());
  CHECK_FALSE(bank.write(kMtrrPhysMask0, bit(39) | 0x800).ok());
  CHECK_FALSE(bank.read(kMtrrPhysBase0 + 16).ok());
  CHECK(bank.write(kMtrrFix4kC0000 + 3, 0x0605'0401'0006'0504).ok());
  CHECK(bank.read(kMtrrFix4kC0000 + 3).value() == 0x0605'0401'0006'0504);
  CHECK(bank.read(kMtrrFix4kC0000 + 2).value() == 0);
  CHECK_FALSE(bank.write(kMtrrFix64k00000, 0x0606'0606'0206'0606).ok());
  CHECK(bank.write(kMtrrDefType, 0xc06).ok());
  CHECK_FALSE(bank.write(kMtrrDefType, 0x1c06).ok());
  CHECK_FALSE(bank.write(kMtrrDefType, 0xc03).ok());
  CHECK(bank.read(kMtrrDefType).value() == 0xc06);
}

TEST_CASE("The MTRRs that firmware leaves") {
  MsrBank bank = bank_of(kFull);
  bank.set_firmware_mtrrs(Gpa1(0xc000'0000));
  CHECK(bank.read(kMtrrDefType).value() == 0xc06);
  CHECK(bank.read(kMtrrFix64k00000).value() == 0x0606'0606'0606'0606);
  CHECK(bank.read(kMtrrFix16kA0000).value() == 0);
  CHECK(bank.read(kMtrrFix4kF8000).value() == 0x0505'0505'0505'0505);
  CHECK(bank.read(kMtrrPhysBase0).value() == 0xc000'0000);
  CHECK(bank.read(kMtrrPhysMask0).value() == 0x7f'c000'0800);
  CHECK(bank.read(kMtrrPhysMask0 + 2).value() == 0);

  bank.reset(kFull);
  bank.set_firmware_mtrrs(Gpa1(0xb000'0000));  // 256 MiB and 1 GiB
  CHECK(bank.read(kMtrrPhysBase0).value() == 0xb000'0000);
  CHECK(bank.read(kMtrrPhysMask0).value() == 0x7f'f000'0800);
  CHECK(bank.read(kMtrrPhysBase0 + 2).value() == 0xc000'0000);
  CHECK(bank.read(kMtrrPhysMask0 + 2).value() == 0x7f'c000'0800);
  // Each value would pass the check that the guest's own writes pass.
  for (std::uint32_t index = kMtrrPhysBase0; index < kMtrrPhysBase0 + 16; ++index) {
    CHECK(bank.write(index, bank.read(index).value()).ok());
  }
}

TEST_CASE("TSC and TSC_ADJUST move together") {
  MsrBank bank = bank_of(kFull);
  std::uint64_t tsc = 5000;
  tsc += bank.write_tsc(0, tsc);
  CHECK(tsc == 0);
  CHECK(bank.tsc_adjust() == static_cast<std::uint64_t>(-5000));
  tsc += bank.write_tsc_adjust(0);
  CHECK(tsc == 5000);
  tsc += bank.write_tsc_adjust(100);
  CHECK(tsc == 5100);
  CHECK(bank.tsc_adjust() == 100);
}

TEST_CASE("The configuration follows from CPUID") {
  struct {
    std::uint32_t edx7 = 0;
    CpuidResult operator()(std::uint32_t leaf, std::uint32_t) const {
      switch (leaf) {
        case 0:
          return {0x16, 0, 0, 0};
        case 1:
          return {0x50654, 0, ~0U, ~0U};
        case 7:
          return {0, 0, 0, edx7};
        case 0x80000000:
          return {0x80000008, 0, 0, 0};
        case 0x80000001:
          return {0, 0, 0, ~0U};
        case 0x80000008:
          return {0x3027, 0, 0, 0};
        default:
          return {};
      }
    }
  } hardware;
  hardware.edx7 = cpuid::k7EdxIbrs | cpuid::k7EdxArchCapabilities;
  CpuidTable table;
  table.build(hardware, {.cpus = 1, .tsc_hz = 1});
  const MsrConfig config = make_msr_config(table, ~0ULL, 7);
  CHECK(config.vmx);
  CHECK(config.spec_ctrl);
  CHECK(config.pred_cmd);
  CHECK_FALSE(config.flush_cmd);
  CHECK(config.arch_capabilities);
  CHECK_FALSE(config.xsaves);
  CHECK(config.tsc_aux);
  CHECK(config.physical_bits == 39);
  // No control whose MSR is absent is advertised.
  CHECK((config.arch_capabilities_value & kArchCapTsxCtrl) == 0);
  CHECK((config.arch_capabilities_value & (bit(10) | bit(12) | bit(18) | bit(21) | bit(25))) == 0);
  CHECK((config.arch_capabilities_value & kArchCapRdclNo) != 0);
}
