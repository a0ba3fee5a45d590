#pragma once

#include <cstdint>

#include "hv/vcpu.hpp"

// MOV to control registers as the running guest's CPU does it, for the accesses that exit to L0
// because L0 owns a bit. SDM vol. 2, "MOV—Move to/from Control Registers"; vol. 3A, "Paging".
namespace archelon::hv {

// Bits of CR0 and CR4 that no guest changes in the hardware: caching is governed by EPT, and VMX
// needs NE and VMXE. The guest sees its own values through the read shadows.
inline constexpr std::uint64_t kL0OwnedCr0 = arch::cr0::kNe | arch::cr0::kNw | arch::cr0::kCd;

// CR4 bits that L1 may set: what its CPUID offers.
[[nodiscard]] std::uint64_t offered_cr4();

// Each answers false where the CPU raises #GP(0); then nothing has changed.
[[nodiscard]] bool write_guest_cr0(Vcpu& vcpu, std::uint64_t value);
[[nodiscard]] bool write_guest_cr3(Vcpu& vcpu, std::uint64_t value);
[[nodiscard]] bool write_guest_cr4(Vcpu& vcpu, std::uint64_t value);

// Loads the four PDPTEs of PAE paging from `cr3` of the running guest into the VMCS; false where one
// has a reserved bit set. SDM vol. 3A, "PDPTE Registers".
[[nodiscard]] bool load_guest_pdptes(Vcpu& vcpu, std::uint64_t cr3);

// Sets the running guest's CR0, CR4 and EFER in the VMCS without checks: values that were checked or
// that a reset prescribes.
void set_guest_cr0(Vcpu& vcpu, std::uint64_t value);
void set_guest_cr4(Vcpu& vcpu, std::uint64_t value);
void set_guest_efer(Vcpu& vcpu, std::uint64_t value);

// While L1 is in VMX operation its CPU holds PE, PG, NE and VMXE: called at VMXON and VMXOFF.
void update_vmx_operation(Vcpu& vcpu, bool in_vmx_operation);

}  // namespace archelon::hv
