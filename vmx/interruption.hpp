#pragma once

#include <cstdint>

#include "hv/arch/exception.hpp"
#include "hv/base/bits.hpp"

namespace archelon::vmx {

enum class EventType : std::uint8_t {
  kExternalInterrupt = 0,
  kReserved = 1,
  kNmi = 2,
  kHardwareException = 3,
  kSoftwareInterrupt = 4,
  kPrivilegedSoftwareException = 5,  // INT1
  kSoftwareException = 6,            // INT3, INTO
  kOther = 7,                        // on entry: pending MTF; on exit: SYSCALL/SYSENTER with FRED
};

// A word of interruption information: VM-entry, VM-exit and IDT-vectoring share the layout.
// SDM vol. 3C, "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored
// Events", "Information for VM Exits That Occur During Event Delivery".
struct InterruptionInfo {
  static constexpr std::uint32_t kVectorMask = 0xff;
  static constexpr std::uint32_t kTypeMask = 7u << 8;
  static constexpr std::uint32_t kErrorCode = 1u << 11;           // "deliver" or "valid"
  static constexpr std::uint32_t kNmiUnblockedByIret = 1u << 12;  // exit information alone
  static constexpr std::uint32_t kValid = 1u << 31;
  static constexpr std::uint32_t kEntryReserved = 0x7ffff000;

  std::uint32_t word = 0;

  [[nodiscard]] constexpr bool valid() const { return (word & kValid) != 0; }
  [[nodiscard]] constexpr std::uint8_t vector() const {
    return static_cast<std::uint8_t>(word & kVectorMask);
  }
  [[nodiscard]] constexpr EventType type() const {
    return static_cast<EventType>((word & kTypeMask) >> 8);
  }
  [[nodiscard]] constexpr bool has_error_code() const { return (word & kErrorCode) != 0; }
  [[nodiscard]] constexpr bool is_exception(arch::Vector v) const {
    return valid() && type() == EventType::kHardwareException &&
           vector() == static_cast<std::uint8_t>(v);
  }
  // INT n, INT1, INT3, INTO: events whose delivery needs the instruction's length.
  [[nodiscard]] constexpr bool is_software() const {
    return type() == EventType::kSoftwareInterrupt ||
           type() == EventType::kPrivilegedSoftwareException ||
           type() == EventType::kSoftwareException;
  }
  // The same event as VM-entry information: what the exit adds is gone.
  [[nodiscard]] constexpr InterruptionInfo for_entry() const { return {word & ~kEntryReserved}; }

  [[nodiscard]] static constexpr InterruptionInfo make(EventType type, std::uint8_t vector,
                                                       bool error_code = false) {
    return {kValid | (static_cast<std::uint32_t>(type) << 8) | vector |
            (error_code ? kErrorCode : 0)};
  }
  [[nodiscard]] static constexpr InterruptionInfo exception(arch::Vector v) {
    return make(EventType::kHardwareException, static_cast<std::uint8_t>(v),
                arch::has_error_code(v));
  }
  constexpr bool operator==(const InterruptionInfo&) const = default;
};

// Guest interruptibility state. SDM vol. 3C, "Guest Non-Register State".
namespace interruptibility {
inline constexpr std::uint32_t kBlockingBySti = 1u << 0;
inline constexpr std::uint32_t kBlockingByMovSs = 1u << 1;
inline constexpr std::uint32_t kBlockingBySmi = 1u << 2;
inline constexpr std::uint32_t kBlockingByNmi = 1u << 3;
inline constexpr std::uint32_t kEnclaveInterruption = 1u << 4;
inline constexpr std::uint32_t kReserved = ~0x1fu;
}  // namespace interruptibility

enum class ActivityState : std::uint32_t { kActive = 0, kHlt = 1, kShutdown = 2, kWaitForSipi = 3 };

// Pending debug exceptions. SDM vol. 3C, "Guest Non-Register State".
namespace pending_debug {
inline constexpr std::uint64_t kB = bit_mask(3, 0);
inline constexpr std::uint64_t kBusLock = bit(11);
inline constexpr std::uint64_t kEnabledBreakpoint = bit(12);
inline constexpr std::uint64_t kBs = bit(14);
inline constexpr std::uint64_t kRtm = bit(16);
inline constexpr std::uint64_t kReserved = ~(kB | kBusLock | kEnabledBreakpoint | kBs | kRtm);
}  // namespace pending_debug

}  // namespace archelon::vmx
