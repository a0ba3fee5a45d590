#pragma once

#include "hv/vcpu.hpp"
#include "vmx/exit.hpp"

// What L0 does itself upon an exit of the guest that runs (L1, or L2 for what L1 did not ask for).
// Each works on the vCPU's current VMCS and either ends the instruction, injects an exception, or
// stops the VM with a report.
namespace archelon::hv::exits {

// Any exit that is the guest's own: L1's, or one of L2 that L1 did not ask for.
void handle(Vcpu& vcpu, const vmx::Exit& exit);

void cpuid(Vcpu& vcpu, const vmx::Exit& exit);
void rdmsr(Vcpu& vcpu, const vmx::Exit& exit);
void wrmsr(Vcpu& vcpu, const vmx::Exit& exit);
void cr_access(Vcpu& vcpu, const vmx::Exit& exit);
void io_instruction(Vcpu& vcpu, const vmx::Exit& exit);
void exception_or_nmi(Vcpu& vcpu, const vmx::Exit& exit);
void hlt(Vcpu& vcpu, const vmx::Exit& exit);
void xsetbv(Vcpu& vcpu, const vmx::Exit& exit);
void invd(Vcpu& vcpu, const vmx::Exit& exit);
void rdpmc(Vcpu& vcpu, const vmx::Exit& exit);

// An access of L1 outside its RAM: a device, or nothing. `address` is what it touched.
void mmio(Vcpu& vcpu, const vmx::Exit& exit, Gpa1 address);

// Stops the VM, with the exit's fields in the report.
void unexpected(Vcpu& vcpu, const vmx::Exit& exit);

}  // namespace archelon::hv::exits
