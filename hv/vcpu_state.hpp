#pragma once

#include <cstdint>

#include "hv/guest/boot_state.hpp"
#include "hv/vcpu.hpp"

// A vCPU's VMCS01: made once, then given the state that a boot protocol, INIT or SIPI prescribes.
namespace archelon::hv {

// Makes VMCS01 current with L0's controls, host state and EPT01. On the vCPU's own CPU.
void prepare_vmcs01(Vcpu& vcpu);

// L1's whole register state, into VMCS01 (made current) and the vCPU.
void set_boot_state(Vcpu& vcpu, const guest::BootState& state);

// The state after INIT: the vCPU waits for a SIPI, or starts over from the reset vector when it is
// the boot CPU. SDM vol. 3A, "Processor State After Reset".
void set_init_state(Vcpu& vcpu);
void apply_sipi(Vcpu& vcpu, std::uint8_t vector);

// The MSRs that VMCS01 holds, as after power-up.
void reset_msrs(Vcpu& vcpu);

// The VMX-preemption timer that takes the CPU back from a guest which keeps interrupts off, in the
// timer's own units.
[[nodiscard]] std::uint32_t watchdog_ticks();

// L0's VPID for a vCPU's L1 and for its L2s; 0 where the CPU has no VPID or they have run out.
[[nodiscard]] std::uint16_t vpid01(const Vcpu& vcpu);
[[nodiscard]] std::uint16_t vpid02(const Vcpu& vcpu);

}  // namespace archelon::hv
