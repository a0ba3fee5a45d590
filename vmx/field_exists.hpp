#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmx/capabilities.hpp"
#include "vmx/fields.hpp"

namespace archelon::vmx {

// True where a CPU with capabilities `caps` has the VMCS field `encoding` (full or high access):
// most fields exist only where a control that uses them can be set. SDM vol. 3D, "Field Encoding in
// VMCS", the notes of each table.
[[nodiscard]] bool field_exists(std::uint32_t encoding, const Capabilities& caps);

// The answers of field_exists for one `caps`, made once so that VMREAD and VMWRITE look up a bit.
class FieldSet {
 public:
  constexpr void add(std::size_t position) {
    words_[position / 64] |= bit(static_cast<unsigned>(position % 64));
  }
  // `position` is field_position's.
  [[nodiscard]] constexpr bool has(std::size_t position) const {
    return (words_[position / 64] & bit(static_cast<unsigned>(position % 64))) != 0;
  }

 private:
  std::array<std::uint64_t, (kFieldCount + 63) / 64> words_{};
};
[[nodiscard]] FieldSet existing_fields(const Capabilities& caps);

// The value of bits 9:1 of IA32_VMX_VMCS_ENUM for `caps`: the highest index of any existing field.
[[nodiscard]] std::uint64_t highest_field_index(const Capabilities& caps);

}  // namespace archelon::vmx
