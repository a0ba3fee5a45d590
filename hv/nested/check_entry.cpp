#include "hv/nested/state.hpp"

namespace archelon::hv::nested {

std::optional<EntryAttempt> check_entry(Vcpu& vcpu, vmx::Vmcs12& vmcs12) {
  static_cast<void>(vcpu);
  static_cast<void>(vmcs12);
  return std::nullopt;
}

}  // namespace archelon::hv::nested
