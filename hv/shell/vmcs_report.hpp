#pragma once

#include <array>
#include <cstdint>

#include "hv/shell/output.hpp"
#include "vmx/field_set.hpp"
#include "vmx/fields.hpp"

namespace archelon::shell {

// The fields of a VMCS at one moment, by their place in vmx::kFieldNames.
struct VmcsSnapshot {
  vmx::FieldSet present;
  std::array<std::uint64_t, vmx::kFieldCount> values{};

  void set(std::size_t position, std::uint64_t value) {
    present.add(position);
    values[position] = value;
  }
};

// Every field that is present: name, value in the field's width, and what it means.
void print_vmcs(const VmcsSnapshot& vmcs, const Output& out);

}  // namespace archelon::shell
