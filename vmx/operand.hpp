#pragma once

#include <cstdint>

#include "hv/arch/exception.hpp"
#include "hv/arch/mode.hpp"
#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/address.hpp"
#include "hv/base/result.hpp"
#include "vmx/instruction_info.hpp"

namespace archelon::vmx {

enum class OperandAccess : std::uint8_t { kRead, kWrite };

// The offset within its segment that a memory operand has, cut to the address size.
// `displacement` is the exit qualification: the instruction's displacement, with RIP already added
// where the operand is RIP-relative. SDM vol. 3C, "Basic VM-Exit Information".
[[nodiscard]] constexpr std::uint64_t effective_address(const InstructionInfo& info,
                                                        std::uint64_t displacement,
                                                        std::uint64_t base, std::uint64_t index) {
  std::uint64_t offset = displacement;
  if (info.base) {
    offset += base;
  }
  if (info.index) {
    offset += index << info.scale_shift;
  }
  return info.address_bits == 64 ? offset : offset & bit_mask(info.address_bits - 1u, 0);
}

// The linear address of `size` bytes (1 to 16) at `offset` of `segment` (which is the segment
// register `name`), or the #GP(0) or #SS(0) that an access to them raises. `mode` is kProtected or
// k64Bit: VMX instructions with operands do not exist elsewhere. SDM vol. 3A, "Limit Checking",
// "Type Checking", vol. 1, "Canonical Addressing".
[[nodiscard]] constexpr Result<Gva, arch::Exception> linear_address(
    arch::Segment name, const arch::SegmentRegister& segment, std::uint64_t offset, unsigned size,
    OperandAccess access, arch::CpuMode mode, unsigned linear_bits) {
  namespace ar = arch::ar;
  const arch::Exception fault{
      .vector = name == arch::Segment::kSs ? arch::Vector::kSs : arch::Vector::kGp,
      .error_code = 0,
      .cr2 = 0};
  const arch::Exception general{.vector = arch::Vector::kGp, .error_code = 0, .cr2 = 0};

  if (mode == arch::CpuMode::k64Bit) {
    const bool based = name == arch::Segment::kFs || name == arch::Segment::kGs;
    const std::uint64_t linear = offset + (based ? segment.base : 0);
    if (!is_canonical(linear, linear_bits) || !is_canonical(linear + size - 1, linear_bits)) {
      return Err{fault};
    }
    return Gva(linear);
  }

  if (!segment.usable()) {
    return Err{fault};
  }
  const bool code = (segment.access_rights & ar::kCode) != 0;
  if (access == OperandAccess::kWrite && (code || (segment.access_rights & ar::kWritable) == 0)) {
    return Err{general};
  }
  if (access == OperandAccess::kRead && code && (segment.access_rights & ar::kReadable) == 0) {
    return Err{general};
  }
  // An operand that runs past 4 GiB faults; the SDM leaves that to the implementation.
  const std::uint64_t last = offset + size - 1;
  if (!code && (segment.access_rights & ar::kExpandDown) != 0) {
    const std::uint64_t top = (segment.access_rights & ar::kDefaultBig) != 0 ? 0xffffffff : 0xffff;
    if (offset <= segment.limit || last > top) {
      return Err{fault};
    }
  } else if (last > segment.limit) {
    return Err{fault};
  }
  return Gva((segment.base + offset) & 0xffffffff);
}

}  // namespace archelon::vmx
