#pragma once

#include <cstdint>

#include "vmx/hw/vmcs.hpp"
#include "vmx/merge.hpp"
#include "vmx/requirements.hpp"

// VT-x of this machine: found, checked and switched on, CPU by CPU.
namespace archelon::hv {

// On the boot CPU, once: reads the capability MSRs and decides L0's controls. Where something is
// missing, says each thing by name in the log and leaves system().vmx_usable false.
void probe_vmx();

// After probe_vmx(): what this CPU lacks of what L0 needs, by name.
[[nodiscard]] vmx::RequirementNames vmx_missing();

// On each CPU after probe_vmx(): its capabilities must be those of the boot CPU; enters VMX root
// operation. False, with a line in the log, where that is impossible; then no vCPU may run there.
[[nodiscard]] bool enter_vmx_operation();

// Leaves VMX operation on this CPU, for reboot and power-off.
void leave_vmx_operation();

// Writes the host state (L0 on this CPU) into the current VMCS. SDM vol. 3C, "Host-State Area".
void write_host_state(vmx::native::Vmcs& vmcs);

// What L0 needs in every VMCS02 and writes into VMCS01.
[[nodiscard]] vmx::L0Policy l0_policy(std::uint64_t tsc_offset);

}  // namespace archelon::hv
