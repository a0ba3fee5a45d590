#pragma once

#include <cstdint>

#include "vmx/capabilities.hpp"
#include "vmx/field_set.hpp"

namespace archelon::vmx {

// True where a CPU with capabilities `caps` has the VMCS field `encoding` (full or high access):
// most fields exist only where a control that uses them can be set. SDM vol. 3D, "Field Encoding in
// VMCS", the notes of each table.
[[nodiscard]] bool field_exists(std::uint32_t encoding, const Capabilities& caps);

// The answers of field_exists for one `caps`, made once so that VMREAD and VMWRITE look up a bit.
[[nodiscard]] FieldSet existing_fields(const Capabilities& caps);

// The value of bits 9:1 of IA32_VMX_VMCS_ENUM for `caps`: the highest index of any existing field.
[[nodiscard]] std::uint64_t highest_field_index(const Capabilities& caps);

}  // namespace archelon::vmx
