#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "hv/arch/msr.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/result.hpp"
#include "vmx/controls.hpp"

// What a CPU can do in VMX, as its capability MSRs say it: the hardware's, or the ones that L1 is
// shown. SDM vol. 3D, "VMX Capability Reporting Facility".
namespace archelon::vmx {

template <class P>
concept MsrPort = requires(P port, std::uint32_t index) {
  { port.read(index) } -> std::same_as<std::uint64_t>;
};

namespace basic {
inline constexpr std::uint64_t kRevision = bit_mask(30, 0);
inline constexpr std::uint64_t kRegionSize = bit_mask(44, 32);
inline constexpr std::uint64_t kAddresses32Bit = bit(48);
inline constexpr std::uint64_t kDualMonitor = bit(49);
inline constexpr std::uint64_t kMemoryType = bit_mask(53, 50);
inline constexpr std::uint64_t kMemoryTypeWb = std::uint64_t{6} << 50;
inline constexpr std::uint64_t kInsOutsInformation = bit(54);
inline constexpr std::uint64_t kTrueControls = bit(55);
inline constexpr std::uint64_t kAnyErrorCode = bit(56);
}  // namespace basic

namespace misc {
inline constexpr std::uint64_t kPreemptionTimerRate = bit_mask(4, 0);
inline constexpr std::uint64_t kExitSavesLma = bit(5);
inline constexpr std::uint64_t kActivityHlt = bit(6);
inline constexpr std::uint64_t kActivityShutdown = bit(7);
inline constexpr std::uint64_t kActivityWaitForSipi = bit(8);
inline constexpr std::uint64_t kPtInVmx = bit(14);
inline constexpr std::uint64_t kRdmsrSmbase = bit(15);
inline constexpr std::uint64_t kCr3Targets = bit_mask(24, 16);
inline constexpr std::uint64_t kMsrListSize = bit_mask(27, 25);
inline constexpr std::uint64_t kSmmMonitorCtlBit2 = bit(28);
inline constexpr std::uint64_t kVmwriteAnyField = bit(29);
inline constexpr std::uint64_t kInjectZeroLength = bit(30);
inline constexpr std::uint64_t kMsegRevision = bit_mask(63, 32);
}  // namespace misc

namespace ept_vpid {
inline constexpr std::uint64_t kExecuteOnly = bit(0);
inline constexpr std::uint64_t kWalk4 = bit(6);
inline constexpr std::uint64_t kWalk5 = bit(7);
inline constexpr std::uint64_t kMemoryUc = bit(8);
inline constexpr std::uint64_t kMemoryWb = bit(14);
inline constexpr std::uint64_t kPage2m = bit(16);
inline constexpr std::uint64_t kPage1g = bit(17);
inline constexpr std::uint64_t kInvept = bit(20);
inline constexpr std::uint64_t kAccessedDirty = bit(21);
inline constexpr std::uint64_t kAdvancedExitInformation = bit(22);
inline constexpr std::uint64_t kSupervisorShadowStack = bit(23);
inline constexpr std::uint64_t kInveptSingle = bit(25);
inline constexpr std::uint64_t kInveptAll = bit(26);
inline constexpr std::uint64_t kInvvpid = bit(32);
inline constexpr std::uint64_t kInvvpidAddress = bit(40);
inline constexpr std::uint64_t kInvvpidSingle = bit(41);
inline constexpr std::uint64_t kInvvpidAll = bit(42);
inline constexpr std::uint64_t kInvvpidSingleRetainGlobals = bit(43);
}  // namespace ept_vpid

// What a control word may be: bits of `must` are always 1, bits outside `may` always 0.
struct ControlCapability {
  std::uint64_t must = 0;
  std::uint64_t may = 0;

  [[nodiscard]] constexpr bool allows(std::uint64_t value) const {
    return (value & must) == must && (value & ~may) == 0;
  }
  [[nodiscard]] constexpr bool can_set(std::uint64_t mask) const { return (may & mask) == mask; }
  [[nodiscard]] constexpr bool can_clear(std::uint64_t mask) const { return (must & mask) == 0; }
  constexpr bool operator==(const ControlCapability&) const = default;
};

inline constexpr std::size_t kCapabilityMsrCount = arch::msr::kVmxLast - arch::msr::kVmxFirst + 1;

struct Capabilities {
  // By MSR index, from IA32_VMX_BASIC; 0 for an MSR that does not exist.
  std::array<std::uint64_t, kCapabilityMsrCount> msrs{};

  // `index` is one of arch::msr::kVmx...
  [[nodiscard]] constexpr std::uint64_t& operator[](std::uint32_t index) {
    return msrs[(index - arch::msr::kVmxFirst) % kCapabilityMsrCount];
  }
  [[nodiscard]] constexpr std::uint64_t operator[](std::uint32_t index) const {
    return msrs[(index - arch::msr::kVmxFirst) % kCapabilityMsrCount];
  }

  [[nodiscard]] constexpr bool has(std::uint32_t index, std::uint64_t mask) const {
    return ((*this)[index] & mask) == mask;
  }
  [[nodiscard]] constexpr bool has_ept_vpid(std::uint64_t mask) const {
    return has(arch::msr::kVmxEptVpidCap, mask);
  }
  [[nodiscard]] constexpr std::uint32_t revision() const {
    return static_cast<std::uint32_t>((*this)[arch::msr::kVmxBasic] & basic::kRevision);
  }
  [[nodiscard]] constexpr unsigned cr3_targets() const {
    return static_cast<unsigned>(bit_field((*this)[arch::msr::kVmxMisc], 24, 16));
  }
  [[nodiscard]] constexpr unsigned preemption_timer_rate() const {
    return static_cast<unsigned>(bit_field((*this)[arch::msr::kVmxMisc], 4, 0));
  }
  // Most entries of an MSR area that are sure to work.
  [[nodiscard]] constexpr unsigned max_msr_list() const {
    return 512 * (static_cast<unsigned>(bit_field((*this)[arch::msr::kVmxMisc], 27, 25)) + 1);
  }

  // The word's limits, from the TRUE MSRs where there are such.
  [[nodiscard]] ControlCapability control(ControlWord word) const;

  // The value that RDMSR gives; nothing where it would #GP because the MSR does not exist.
  [[nodiscard]] std::optional<std::uint64_t> read_msr(std::uint32_t index) const;

  constexpr bool operator==(const Capabilities&) const = default;
};

// True where the MSR `index` exists on a CPU whose other capability MSRs are `caps`. Those which
// decide have lower indices than those which they decide about, except for the TRUE MSRs.
[[nodiscard]] bool capability_msr_exists(const Capabilities& caps, std::uint32_t index);

// Reads every capability MSR that exists. The CPU must have VMX (CPUID.1:ECX.VMX).
template <MsrPort P>
[[nodiscard]] Capabilities read_capabilities(P& port) {
  Capabilities caps;
  for (std::uint32_t index = arch::msr::kVmxFirst; index <= arch::msr::kVmxLast; ++index) {
    if (capability_msr_exists(caps, index)) {
      caps[index] = port.read(index);
    }
  }
  return caps;
}

// The first capability MSR in which two CPUs differ; nothing where they agree.
[[nodiscard]] std::optional<std::uint32_t> first_disagreement(const Capabilities& a,
                                                              const Capabilities& b);
[[nodiscard]] inline bool agree(const Capabilities& a, const Capabilities& b) {
  return a == b;
}

// The control word that has all of `must`, of `want` what the CPU allows, and what the CPU demands;
// or, as the error, the bits of `must` that the CPU does not have.
[[nodiscard]] constexpr Result<std::uint64_t, std::uint64_t> clamp(std::uint64_t must,
                                                                   std::uint64_t want,
                                                                   ControlCapability capability) {
  const std::uint64_t missing = must & ~capability.may;
  if (missing != 0) {
    return Err{missing};
  }
  return must | (want & capability.may) | capability.must;
}

}  // namespace archelon::vmx
