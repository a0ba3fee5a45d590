#pragma once

#include <cstdint>

namespace archelon::hv {

class Vcpu;

// Puts a vCPU's registers that stay in the CPU across exits (LiveState, x87/SSE/AVX state) into
// this CPU, after taking those of the vCPU that ran here before. Nothing to do when it is the same
// one.
void load_live_state(Vcpu& vcpu);

// Takes the state of a vCPU that ends out of this CPU's memory of it.
void forget_live_state(Vcpu& vcpu);

// CR2 and the debug registers of a vCPU that a reset or INIT prescribes, wherever they live now. On
// the vCPU's own CPU. SDM vol. 3A, "Processor State After Reset".
void reset_debug_registers(Vcpu& vcpu, std::uint64_t cr2, std::uint64_t dr6);

// What a vCPU that starts over has in all of it; none of it may be in a CPU.
void reset_live_state(Vcpu& vcpu);

// Gives the vCPU room for its x87/SSE/AVX state; false when there is no memory.
[[nodiscard]] bool prepare_live_state(Vcpu& vcpu);

}  // namespace archelon::hv
