#pragma once

#include "vmx/exit_counters.hpp"

namespace archelon::hv {

class Vm;

// Those of all vCPUs of the VM. While it runs, the counters are of about one moment.
[[nodiscard]] vmx::ExitCounters total_exits(const Vm& vm);

// Logs how many exits the VM's vCPUs had: a line for each level and reason that occurred, and for
// those of L2 how many L1 saw.
void report_exits(const Vm& vm);

}  // namespace archelon::hv
