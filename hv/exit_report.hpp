#pragma once

namespace archelon::hv {

class Vm;

// Logs how many exits the VM's vCPUs had: a line for each level and reason that occurred, and for
// those of L2 how many L1 saw.
void report_exits(const Vm& vm);

}  // namespace archelon::hv
