#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace archelon::arch {

// General registers by their number in instructions, exit qualifications and instruction
// information.
enum class Gpr : std::uint8_t {
  kRax,
  kRcx,
  kRdx,
  kRbx,
  kRsp,
  kRbp,
  kRsi,
  kRdi,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15
};
inline constexpr std::size_t kGprCount = 16;

// The general registers of a guest, by number. RSP's place is filled from the VMCS by whoever
// needs it.
struct Gprs {
  std::array<std::uint64_t, kGprCount> value{};

  [[nodiscard]] constexpr std::uint64_t& operator[](Gpr r) {
    return value[static_cast<std::size_t>(r) % kGprCount];
  }
  [[nodiscard]] constexpr std::uint64_t operator[](Gpr r) const {
    return value[static_cast<std::size_t>(r) % kGprCount];
  }
};
static_assert(sizeof(Gprs) == 128);

}  // namespace archelon::arch
