#pragma once

#include <cstdint>

#include "hv/base/address.hpp"
#include "vmx/vmcs12.hpp"

namespace archelon::vmx {

enum class VmxMode : std::uint8_t {
  kOff,      // outside VMX operation
  kRoot,     // in VMX root operation: L1 runs
  kNonRoot,  // L2 runs
};

// The VMX state of one virtual CPU of L1.
struct NestedState {
  // What VMPTRST stores when there is no current VMCS.
  static constexpr std::uint64_t kNoVmcs = ~std::uint64_t{0};

  VmxMode mode = VmxMode::kOff;
  Gpa1 vmxon_region;          // valid unless off
  Vmcs12* current = nullptr;  // the current VMCS, in the vCPU's cache; null for none

  [[nodiscard]] bool in_vmx_operation() const { return mode != VmxMode::kOff; }
  [[nodiscard]] std::uint64_t current_pointer() const {
    return current == nullptr ? kNoVmcs : current->region().value();
  }

  // What RESET and INIT leave. The VMCS12 cache is dropped by its owner.
  void reset() { *this = NestedState{}; }
};

}  // namespace archelon::vmx
