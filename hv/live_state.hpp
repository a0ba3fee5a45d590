#pragma once

namespace archelon::hv {

class Vcpu;

// Puts a vCPU's registers that stay in the CPU across exits (LiveState, x87/SSE/AVX state) into this
// CPU, after taking those of the vCPU that ran here before. Nothing to do when it is the same one.
void load_live_state(Vcpu& vcpu);

// Takes the state of a vCPU that ends out of this CPU's memory of it.
void forget_live_state(Vcpu& vcpu);

// Gives the vCPU room for its x87/SSE/AVX state; false when there is no memory.
[[nodiscard]] bool prepare_live_state(Vcpu& vcpu);

}  // namespace archelon::hv
