#pragma once

#include "hv/arch/cpuid_policy.hpp"

// The CPU that VMs see, as far as it is the same for all of them.
namespace archelon::hv {

[[nodiscard]] arch::CpuidResult hardware_cpuid(std::uint32_t leaf, std::uint32_t subleaf);
[[nodiscard]] arch::CpuidOptions cpuid_options(unsigned cpus);

// Decides from the machine's CPU and L0's controls which MSRs, CR4 bits and VMX capabilities VMs
// get. After probe_vmx().
void prepare_guest_cpu();

}  // namespace archelon::hv
