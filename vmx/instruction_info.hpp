#pragma once

#include <cstdint>
#include <optional>

#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/bits.hpp"

namespace archelon::vmx {

// VM-exit instruction information of instructions with a memory or register operand, decoded.
// SDM vol. 3C, "Information for VM Exits Due to Instruction Execution": the formats for VMREAD and
// VMWRITE, for INVEPT, INVPCID and INVVPID, and for VMCLEAR, VMPTRLD, VMPTRST and VMXON agree in
// what they share.
struct InstructionInfo {
  // A register operand, or else a memory operand of base, index, scale and segment.
  std::optional<arch::Gpr> register_operand;
  std::optional<arch::Gpr> base;
  std::optional<arch::Gpr> index;
  std::uint8_t scale_shift = 0;
  std::uint8_t address_bits = 64;  // 16, 32 or 64
  arch::Segment segment = arch::Segment::kDs;
  // VMREAD, VMWRITE: the field's encoding. INVEPT, INVVPID: the type. Undefined elsewhere.
  arch::Gpr second_register = arch::Gpr::kRax;

  [[nodiscard]] static constexpr InstructionInfo decode(std::uint32_t word) {
    InstructionInfo info;
    info.second_register = static_cast<arch::Gpr>(bit_field(word, 31, 28));
    if ((word & bit(10)) != 0) {
      info.register_operand = static_cast<arch::Gpr>(bit_field(word, 6, 3));
      return info;
    }
    info.scale_shift = static_cast<std::uint8_t>(bit_field(word, 1, 0));
    const auto size = bit_field(word, 9, 7);
    info.address_bits = static_cast<std::uint8_t>(size == 0 ? 16 : size == 1 ? 32 : 64);
    // Values above GS are undefined; nothing makes them, DS is as good as any.
    const auto segment = bit_field(word, 17, 15);
    info.segment = segment <= static_cast<std::uint64_t>(arch::Segment::kGs)
                       ? static_cast<arch::Segment>(segment)
                       : arch::Segment::kDs;
    if ((word & bit(22)) == 0) {
      info.index = static_cast<arch::Gpr>(bit_field(word, 21, 18));
    }
    if ((word & bit(27)) == 0) {
      info.base = static_cast<arch::Gpr>(bit_field(word, 26, 23));
    }
    return info;
  }
};

}  // namespace archelon::vmx
