#include "hv/speculation.hpp"

#include "hv/arch/msr.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/system.hpp"

namespace archelon::hv {

namespace msr = arch::msr;

void forget_branches() {
  if (system().msr_config.pred_cmd) {
    hw::wrmsr(msr::kPredCmd, msr::kPredCmdIbpb);
  }
}

void forget_data() {
  constexpr std::uint64_t kImmune = msr::kArchCapRdclNo | msr::kArchCapSkipL1dFlush;
  const arch::MsrConfig& config = system().msr_config;
  if (config.flush_cmd && (config.arch_capabilities_value & kImmune) == 0) {
    hw::wrmsr(msr::kFlushCmd, msr::kFlushCmdL1d);
  }
}

}  // namespace archelon::hv
