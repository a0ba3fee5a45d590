#pragma once

#include <cstdint>

#include "hv/base/bits.hpp"

// Control and debug registers, RFLAGS, EFER and XCR0 as integers with named masks.
// SDM vol. 3A, "Control Registers", "Debug Registers", vol. 1, "EFLAGS Register".
namespace archelon::arch {

namespace cr0 {
inline constexpr std::uint64_t kPe = bit(0);
inline constexpr std::uint64_t kMp = bit(1);
inline constexpr std::uint64_t kEm = bit(2);
inline constexpr std::uint64_t kTs = bit(3);
inline constexpr std::uint64_t kEt = bit(4);
inline constexpr std::uint64_t kNe = bit(5);
inline constexpr std::uint64_t kWp = bit(16);
inline constexpr std::uint64_t kAm = bit(18);
inline constexpr std::uint64_t kNw = bit(29);
inline constexpr std::uint64_t kCd = bit(30);
inline constexpr std::uint64_t kPg = bit(31);
inline constexpr std::uint64_t kDefined =
    kPe | kMp | kEm | kTs | kEt | kNe | kWp | kAm | kNw | kCd | kPg;
inline constexpr std::uint64_t kReset = kCd | kNw | kEt;
}  // namespace cr0

namespace cr3 {
inline constexpr std::uint64_t kPwt = bit(3);
inline constexpr std::uint64_t kPcd = bit(4);
inline constexpr std::uint64_t kPcid = bit_mask(11, 0);
inline constexpr std::uint64_t kNoFlush = bit(63);  // of the MOV's operand; never kept in CR3
inline constexpr std::uint64_t kLamU57 = bit(61);
inline constexpr std::uint64_t kLamU48 = bit(62);
}  // namespace cr3

namespace cr4 {
inline constexpr std::uint64_t kVme = bit(0);
inline constexpr std::uint64_t kPvi = bit(1);
inline constexpr std::uint64_t kTsd = bit(2);
inline constexpr std::uint64_t kDe = bit(3);
inline constexpr std::uint64_t kPse = bit(4);
inline constexpr std::uint64_t kPae = bit(5);
inline constexpr std::uint64_t kMce = bit(6);
inline constexpr std::uint64_t kPge = bit(7);
inline constexpr std::uint64_t kPce = bit(8);
inline constexpr std::uint64_t kOsfxsr = bit(9);
inline constexpr std::uint64_t kOsxmmexcpt = bit(10);
inline constexpr std::uint64_t kUmip = bit(11);
inline constexpr std::uint64_t kLa57 = bit(12);
inline constexpr std::uint64_t kVmxe = bit(13);
inline constexpr std::uint64_t kSmxe = bit(14);
inline constexpr std::uint64_t kFsgsbase = bit(16);
inline constexpr std::uint64_t kPcide = bit(17);
inline constexpr std::uint64_t kOsxsave = bit(18);
inline constexpr std::uint64_t kKl = bit(19);
inline constexpr std::uint64_t kSmep = bit(20);
inline constexpr std::uint64_t kSmap = bit(21);
inline constexpr std::uint64_t kPke = bit(22);
inline constexpr std::uint64_t kCet = bit(23);
inline constexpr std::uint64_t kPks = bit(24);
inline constexpr std::uint64_t kUintr = bit(25);
inline constexpr std::uint64_t kLamSup = bit(28);
}  // namespace cr4

namespace efer {
inline constexpr std::uint64_t kSce = bit(0);
inline constexpr std::uint64_t kLme = bit(8);
inline constexpr std::uint64_t kLma = bit(10);
inline constexpr std::uint64_t kNxe = bit(11);
inline constexpr std::uint64_t kDefined = kSce | kLme | kLma | kNxe;
}  // namespace efer

namespace rflags {
inline constexpr std::uint64_t kCf = bit(0);
inline constexpr std::uint64_t kFixed1 = bit(1);
inline constexpr std::uint64_t kPf = bit(2);
inline constexpr std::uint64_t kAf = bit(4);
inline constexpr std::uint64_t kZf = bit(6);
inline constexpr std::uint64_t kSf = bit(7);
inline constexpr std::uint64_t kTf = bit(8);
inline constexpr std::uint64_t kIf = bit(9);
inline constexpr std::uint64_t kDf = bit(10);
inline constexpr std::uint64_t kOf = bit(11);
inline constexpr std::uint64_t kIopl = bit_mask(13, 12);
inline constexpr std::uint64_t kNt = bit(14);
inline constexpr std::uint64_t kRf = bit(16);
inline constexpr std::uint64_t kVm = bit(17);
inline constexpr std::uint64_t kAc = bit(18);
inline constexpr std::uint64_t kVif = bit(19);
inline constexpr std::uint64_t kVip = bit(20);
inline constexpr std::uint64_t kId = bit(21);
inline constexpr std::uint64_t kArithmetic = kCf | kPf | kAf | kZf | kSf | kOf;
inline constexpr std::uint64_t kReserved = bit_mask(63, 22) | bit(15) | bit(5) | bit(3);
}  // namespace rflags

namespace dr6 {
inline constexpr std::uint64_t kB0 = bit(0);
inline constexpr std::uint64_t kB1 = bit(1);
inline constexpr std::uint64_t kB2 = bit(2);
inline constexpr std::uint64_t kB3 = bit(3);
inline constexpr std::uint64_t kBld = bit(11);  // active low
inline constexpr std::uint64_t kBd = bit(13);
inline constexpr std::uint64_t kBs = bit(14);
inline constexpr std::uint64_t kBt = bit(15);
inline constexpr std::uint64_t kRtm = bit(16);  // active low
inline constexpr std::uint64_t kReset = 0xffff0ff0;
}  // namespace dr6

namespace dr7 {
inline constexpr std::uint64_t kLocalEnables = bit(0) | bit(2) | bit(4) | bit(6);
inline constexpr std::uint64_t kGlobalEnables = bit(1) | bit(3) | bit(5) | bit(7);
inline constexpr std::uint64_t kFixed1 = bit(10);
inline constexpr std::uint64_t kRtm = bit(11);
inline constexpr std::uint64_t kGd = bit(13);
inline constexpr std::uint64_t kReset = kFixed1;
}  // namespace dr7

namespace xcr0 {
inline constexpr std::uint64_t kX87 = bit(0);
inline constexpr std::uint64_t kSse = bit(1);
inline constexpr std::uint64_t kAvx = bit(2);
inline constexpr std::uint64_t kBndregs = bit(3);
inline constexpr std::uint64_t kBndcsr = bit(4);
inline constexpr std::uint64_t kOpmask = bit(5);
inline constexpr std::uint64_t kZmmHi256 = bit(6);
inline constexpr std::uint64_t kHi16Zmm = bit(7);
inline constexpr std::uint64_t kPkru = bit(9);
inline constexpr std::uint64_t kTileCfg = bit(17);
inline constexpr std::uint64_t kTileData = bit(18);
inline constexpr std::uint64_t kAvx512 = kOpmask | kZmmHi256 | kHi16Zmm;
}  // namespace xcr0

// True where XSETBV accepts `value` on a CPU whose CPUID leaf 0DH offers `supported`.
// SDM vol. 1, "Enabling the XSAVE Feature Set and XSAVE-Enabled Features".
[[nodiscard]] constexpr bool is_valid_xcr0(std::uint64_t value, std::uint64_t supported) {
  using namespace xcr0;
  const auto all_or_none = [value](std::uint64_t group) {
    return (value & group) == 0 || (value & group) == group;
  };
  return (value & ~supported) == 0 && (value & kX87) != 0 &&
         ((value & kAvx) == 0 || (value & kSse) != 0) && all_or_none(kBndregs | kBndcsr) &&
         all_or_none(kAvx512) && ((value & kAvx512) == 0 || (value & kAvx) != 0) &&
         all_or_none(kTileCfg | kTileData);
}

}  // namespace archelon::arch
