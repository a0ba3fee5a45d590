#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/segment.hpp"
#include "hv/vcpu.hpp"

// What the guest that runs on a vCPU now (L1, or L2 when one runs) sees of its own state, read from
// the current VMCS.
namespace archelon::hv {

[[nodiscard]] std::uint64_t guest_cr0(Vcpu& vcpu);
[[nodiscard]] std::uint64_t guest_cr4(Vcpu& vcpu);
[[nodiscard]] std::uint64_t guest_efer(Vcpu& vcpu);
[[nodiscard]] unsigned guest_cpl(Vcpu& vcpu);
[[nodiscard]] bool in_64bit_mode(Vcpu& vcpu);

// Ends the instruction that exited: RIP moves past it, STI and MOV SS blocking end, a single step
// becomes pending. SDM vol. 3C, "Information for VM Exits Due to Instruction Execution".
void skip_instruction(Vcpu& vcpu, const vmx::Exit& exit);

// Makes the next entry deliver an exception to the running guest, combined with an interrupted
// delivery as the architecture says. An L2 exception that L1 intercepts is reflected instead.
void inject_exception(Vcpu& vcpu, const arch::Exception& exception);
inline void inject_gp(Vcpu& vcpu) {
  inject_exception(vcpu, {.vector = arch::Vector::kGp, .error_code = 0});
}
inline void inject_ud(Vcpu& vcpu) { inject_exception(vcpu, {.vector = arch::Vector::kUd}); }

}  // namespace archelon::hv
