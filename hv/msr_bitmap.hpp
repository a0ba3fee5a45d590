#pragma once

#include "hv/base/address.hpp"

namespace archelon::hv {

// The MSR bitmap of every VMCS01: all MSRs exit but those that the policy passes through. One page,
// never changed after boot.
[[nodiscard]] Hpa make_l0_msr_bitmap();

}  // namespace archelon::hv
