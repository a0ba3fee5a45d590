#pragma once

#include <cstdint>
#include <optional>

namespace archelon::hv {

class Vcpu;

// RDMSR and WRMSR as the running guest (L1, or L2 where L1 leaves the MSR to it) does them at CPL 0,
// without regard to intercepts: also how L0 goes through L1's MSR areas. Nothing and false mean
// #GP(0).
[[nodiscard]] std::optional<std::uint64_t> read_guest_msr(Vcpu& vcpu, std::uint32_t index);
[[nodiscard]] bool write_guest_msr(Vcpu& vcpu, std::uint32_t index, std::uint64_t value);

// L1's IA32_FEATURE_CONTROL.
[[nodiscard]] std::uint64_t feature_control_of(Vcpu& vcpu);

}  // namespace archelon::hv
