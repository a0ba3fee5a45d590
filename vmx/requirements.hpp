#pragma once

#include <cstdint>
#include <string_view>

#include "hv/arch/cpuid.hpp"
#include "hv/base/static_vector.hpp"
#include "vmx/capabilities.hpp"

namespace archelon::vmx {

using RequirementNames = StaticVector<std::string_view, 48>;

// What L0 cannot do without and this CPU lacks, by the SDM's names; empty where L0 can run guests.
// `features` is CPUID leaf 1, `feature_control` IA32_FEATURE_CONTROL (0 where there is no VMX);
// `caps` is looked at only where there is VMX. An unlocked IA32_FEATURE_CONTROL is no obstacle: L0
// sets and locks it. Hard: EPT with 4 levels and write-back, INVEPT, unrestricted guest (L1's CPUs
// start in real mode), MSR bitmaps, the exits by which L0 keeps control, PAT and EFER on
// entry and exit.
[[nodiscard]] RequirementNames missing_requirements(const Capabilities& caps,
                                                    std::uint64_t feature_control,
                                                    const arch::CpuidResult& features);

// What L0 uses where the CPU has it and does without elsewhere, slower or with less for L1: VPID,
// large EPT pages, the preemption timer, VMCS shadowing, TPR shadow, A/D bits...
[[nodiscard]] RequirementNames missing_optional_features(const Capabilities& caps);

}  // namespace archelon::vmx
