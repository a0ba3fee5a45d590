#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// Which CPUID feature flags L1 sees, and why not where it does not.
namespace archelon::arch {

enum class CpuidRegister : std::uint8_t { kEax, kEbx, kEcx, kEdx };

enum class FeaturePolicy : std::uint8_t {
  kPass,     // as the hardware says: it works in a guest with nothing done by L0 but what it does
             // for every guest (EPT, MSR policy, XSAVE state)
  kEmulate,  // there in any case: L0 makes it
  kOption,   // as the hardware says if the VM's options and L0's own controls allow it
  kDynamic,  // mirrors the vCPU's state
  kHide,     // not there; `why` says what would be needed
};

struct CpuidFeature {
  std::uint32_t leaf;
  std::uint32_t subleaf;
  CpuidRegister reg;
  std::uint8_t bit;
  FeaturePolicy policy;
  std::string_view name;
  std::string_view why = {};
};

// Every flag that has a policy. A flag that is not in the list is hidden: what is new may need
// state that L0 does not know of.
[[nodiscard]] std::span<const CpuidFeature> cpuid_features();

}  // namespace archelon::arch
