#pragma once

#include "hv/guest/config.hpp"
#include "hv/vm.hpp"

// The life of VMs: made from the configuration, started, ended, and what happens after the last.
namespace archelon::hv {

// Makes and starts every VM of the configuration. A VM that cannot be made is reported and left
// out; the others run.
void start_vms(const guest::Config& config);

// Acts on a power event which a device of the VM reported, if there is one.
void handle_power_event(Vm& vm);

// The vCPU leaves its CPU for good, since its VM ended. The last one reports the VM's end.
void retire_vcpu(Vcpu& vcpu);

// True where the halted vCPU must run again.
[[nodiscard]] bool wakes_from_halt(Vcpu& vcpu);

}  // namespace archelon::hv
