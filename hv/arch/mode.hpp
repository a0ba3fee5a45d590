#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/segment.hpp"

namespace archelon::arch {

// Operating modes that instructions tell apart. SDM vol. 3A, "Modes of Operation".
enum class CpuMode : std::uint8_t { kReal, kVirtual8086, kProtected, kCompatibility, k64Bit };

[[nodiscard]] constexpr CpuMode cpu_mode(std::uint64_t cr0, std::uint64_t efer,
                                         std::uint64_t rflags, std::uint32_t cs_access_rights) {
  if ((cr0 & cr0::kPe) == 0) {
    return CpuMode::kReal;
  }
  if ((efer & efer::kLma) != 0) {
    return (cs_access_rights & ar::kLong) != 0 ? CpuMode::k64Bit : CpuMode::kCompatibility;
  }
  return (rflags & rflags::kVm) != 0 ? CpuMode::kVirtual8086 : CpuMode::kProtected;
}

}  // namespace archelon::arch
