#pragma once

#include <cstdint>

#include "hv/arch/registers.hpp"
#include "hv/base/bits.hpp"

// Exit qualifications decoded into small values, and made from them for reflection.
// SDM vol. 3C, "Exit Qualification for ..." under "Basic VM-Exit Information".
namespace archelon::vmx {

// Control-register accesses.
struct CrAccess {
  enum class Kind : std::uint8_t { kMovToCr = 0, kMovFromCr = 1, kClts = 2, kLmsw = 3 };

  std::uint8_t cr = 0;
  Kind kind = Kind::kMovToCr;
  bool lmsw_memory_operand = false;
  arch::Gpr gpr = arch::Gpr::kRax;
  std::uint16_t lmsw_source = 0;

  [[nodiscard]] static constexpr CrAccess decode(std::uint64_t qualification) {
    return {.cr = static_cast<std::uint8_t>(bit_field(qualification, 3, 0)),
            .kind = static_cast<Kind>(bit_field(qualification, 5, 4)),
            .lmsw_memory_operand = (qualification & bit(6)) != 0,
            .gpr = static_cast<arch::Gpr>(bit_field(qualification, 11, 8)),
            .lmsw_source = static_cast<std::uint16_t>(bit_field(qualification, 31, 16))};
  }
  [[nodiscard]] constexpr std::uint64_t encode() const {
    return cr | (static_cast<std::uint64_t>(kind) << 4) | (lmsw_memory_operand ? bit(6) : 0) |
           (static_cast<std::uint64_t>(gpr) << 8) | (static_cast<std::uint64_t>(lmsw_source) << 16);
  }
  constexpr bool operator==(const CrAccess&) const = default;
};

// MOV to or from a debug register.
struct DrAccess {
  std::uint8_t dr = 0;
  bool from_dr = false;
  arch::Gpr gpr = arch::Gpr::kRax;

  [[nodiscard]] static constexpr DrAccess decode(std::uint64_t qualification) {
    return {.dr = static_cast<std::uint8_t>(bit_field(qualification, 2, 0)),
            .from_dr = (qualification & bit(4)) != 0,
            .gpr = static_cast<arch::Gpr>(bit_field(qualification, 11, 8))};
  }
  [[nodiscard]] constexpr std::uint64_t encode() const {
    return dr | (from_dr ? bit(4) : 0) | (static_cast<std::uint64_t>(gpr) << 8);
  }
  constexpr bool operator==(const DrAccess&) const = default;
};

// I/O instructions.
struct IoAccess {
  std::uint8_t size = 1;  // bytes: 1, 2 or 4
  bool in = false;
  bool string = false;
  bool rep = false;
  bool immediate = false;
  std::uint16_t port = 0;

  [[nodiscard]] static constexpr IoAccess decode(std::uint64_t qualification) {
    return {.size = static_cast<std::uint8_t>(bit_field(qualification, 2, 0) + 1),
            .in = (qualification & bit(3)) != 0,
            .string = (qualification & bit(4)) != 0,
            .rep = (qualification & bit(5)) != 0,
            .immediate = (qualification & bit(6)) != 0,
            .port = static_cast<std::uint16_t>(bit_field(qualification, 31, 16))};
  }
  [[nodiscard]] constexpr std::uint64_t encode() const {
    return static_cast<std::uint64_t>(size - 1) | (in ? bit(3) : 0) | (string ? bit(4) : 0) |
           (rep ? bit(5) : 0) | (immediate ? bit(6) : 0) | (static_cast<std::uint64_t>(port) << 16);
  }
  constexpr bool operator==(const IoAccess&) const = default;
};

// EPT violations: the bits stay a word, since reflection rebuilds some and passes on the rest.
struct EptViolation {
  static constexpr std::uint64_t kRead = bit(0);
  static constexpr std::uint64_t kWrite = bit(1);
  static constexpr std::uint64_t kFetch = bit(2);
  static constexpr std::uint64_t kReadable = bit(3);
  static constexpr std::uint64_t kWritable = bit(4);
  static constexpr std::uint64_t kExecutable = bit(5);
  static constexpr std::uint64_t kUserExecutable = bit(6);
  static constexpr std::uint64_t kLinearValid = bit(7);
  static constexpr std::uint64_t kFinalTranslation = bit(8);  // not a guest page-walk access
  static constexpr std::uint64_t kUserLinear = bit(9);
  static constexpr std::uint64_t kWritableLinear = bit(10);
  static constexpr std::uint64_t kNxLinear = bit(11);
  static constexpr std::uint64_t kNmiUnblockedByIret = bit(12);
  static constexpr std::uint64_t kShadowStack = bit(13);
  static constexpr std::uint64_t kAsynchronous = bit(16);
  static constexpr std::uint64_t kAccess = kRead | kWrite | kFetch;
  static constexpr std::uint64_t kPermissions =
      kReadable | kWritable | kExecutable | kUserExecutable;

  std::uint64_t word = 0;

  [[nodiscard]] constexpr bool read() const { return (word & kRead) != 0; }
  [[nodiscard]] constexpr bool write() const { return (word & kWrite) != 0; }
  [[nodiscard]] constexpr bool fetch() const { return (word & kFetch) != 0; }
  [[nodiscard]] constexpr bool linear_valid() const { return (word & kLinearValid) != 0; }
  // True for an access to a guest paging-structure entry, false for the translated access itself.
  [[nodiscard]] constexpr bool in_guest_walk() const {
    return linear_valid() && (word & kFinalTranslation) == 0;
  }
  // True where no level of the EPT walk allowed anything: absence rather than lack of a right.
  [[nodiscard]] constexpr bool not_present() const { return (word & kPermissions) == 0; }
};

// Task switches.
struct TaskSwitch {
  enum class Source : std::uint8_t { kCall = 0, kIret = 1, kJmp = 2, kTaskGate = 3 };
  std::uint16_t selector = 0;
  Source source = Source::kCall;

  [[nodiscard]] static constexpr TaskSwitch decode(std::uint64_t qualification) {
    return {.selector = static_cast<std::uint16_t>(bit_field(qualification, 15, 0)),
            .source = static_cast<Source>(bit_field(qualification, 31, 30))};
  }
};

// APIC accesses, linear or guest-physical, to the APIC-access page.
struct ApicAccess {
  enum class Kind : std::uint8_t {
    kLinearRead = 0,
    kLinearWrite = 1,
    kLinearFetch = 2,
    kLinearEventDelivery = 3,
    kMonitor = 4,
    kPhysicalEventDelivery = 10,
    kPhysicalOther = 15,
  };
  std::uint16_t offset = 0;
  Kind kind = Kind::kLinearRead;
  bool asynchronous = false;

  [[nodiscard]] static constexpr ApicAccess decode(std::uint64_t qualification) {
    return {.offset = static_cast<std::uint16_t>(bit_field(qualification, 11, 0)),
            .kind = static_cast<Kind>(bit_field(qualification, 15, 12)),
            .asynchronous = (qualification & bit(16)) != 0};
  }
};

// Debug exceptions: what DR6 would get; bits 12 and 16 do not mean what they do in DR6.
namespace debug_qualification {
inline constexpr std::uint64_t kB = bit_mask(3, 0);
inline constexpr std::uint64_t kBusLock = bit(11);
inline constexpr std::uint64_t kBd = bit(13);
inline constexpr std::uint64_t kBs = bit(14);
inline constexpr std::uint64_t kRtm = bit(16);
}  // namespace debug_qualification

// Qualification of a VM entry that failed on guest state (exit 33); exit 34's is the number of the
// failing MSR entry, from 1. SDM vol. 3C, "VM-Entry Failures During or After Loading Guest State".
enum class EntryFailure : std::uint64_t {
  kDefault = 0,
  kPdpte = 2,
  kNmiInjection = 3,
  kVmcsLinkPointer = 4,
};

// VMX-abort indicators. SDM vol. 3C, "VMX Aborts".
enum class VmxAbort : std::uint32_t {
  kNone = 0,
  kSavingGuestMsrs = 1,
  kHostPdptes = 2,
  kCorruptedVmcs = 3,
  kLoadingHostMsrs = 4,
  kMachineCheckDuringExit = 5,
  kIa32eMismatch = 6,
};

}  // namespace archelon::vmx
