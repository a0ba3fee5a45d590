#pragma once

#include <string_view>

#include "hv/base/result.hpp"
#include "hv/vm.hpp"

// How a VM comes to be: memory, EPT01, devices, vCPUs, then what its configuration boots.
namespace archelon::hv {

// Takes memory and builds everything but the guest's contents. The error is one line for the log.
[[nodiscard]] Status<std::string_view> build_vm(Vm& vm, const guest::VmConfig& config);

// Puts the kernel, its modules and the ACPI tables into zeroed memory, resets the devices and gives
// the vCPUs their start states. Also what a reset of the VM does. False with a line in the log.
[[nodiscard]] bool load_vm(Vm& vm);

// Gives the VM's memory and tables back.
void release_vm_memory(Vm& vm);

}  // namespace archelon::hv
