#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "vmx/vmcs12.hpp"

namespace archelon::vmx {

// VMCS12 with all its fields at hand: those that live in VMCS02 are brought home by
// `fetch(position)`, which ends with Vmcs12::fetched(), when they are asked for.
template <class Fetch>
class FetchingView {
 public:
  FetchingView(Vmcs12& vmcs12, Fetch fetch) : vmcs12_(vmcs12), fetch_(std::move(fetch)) {}

  template <class T>
  [[nodiscard]] typename Field<T>::Value read(Field<T> field) {
    // No control and no host state lives in VMCS02.
    if (field.type() == FieldType::kGuestState) {
      bring_home(position_of(field));
    }
    return vmcs12_.read(field);
  }
  [[nodiscard]] std::uint64_t read_at(std::size_t position) {
    bring_home(position);
    return vmcs12_.read_at(position);
  }

 private:
  void bring_home(std::size_t position) {
    if (vmcs12_.is_in_vmcs02(position)) {
      fetch_(position);
    }
  }

  Vmcs12& vmcs12_;
  Fetch fetch_;
};

}  // namespace archelon::vmx
