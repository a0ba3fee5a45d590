#pragma once

#include <cstdint>
#include <optional>

#include "hv/arch/cr.hpp"
#include "hv/arch/exception.hpp"
#include "hv/base/address.hpp"
#include "vmx/instruction_error.hpp"

namespace archelon::vmx {

// Translations that an INVEPT or INVVPID of L1 drops. The owner of the shadow EPT and of the TLB
// tags carries it out, on every CPU that may hold them.
struct Invalidation {
  enum class Kind : std::uint8_t {
    kEptSingle,                // by eptp
    kEptAll,                   //
    kVpidAddress,              // by vpid and linear
    kVpidSingle,               // by vpid
    kVpidAll,                  // every VPID but 0
    kVpidSingleRetainGlobals,  // by vpid
  };
  Kind kind = Kind::kEptAll;
  std::uint16_t vpid = 0;
  std::uint64_t eptp = 0;
  Gva linear{};
  constexpr bool operator==(const Invalidation&) const = default;
};

// How a VMX instruction of L1 ended. SDM vol. 3C, "Conventions" (VMX Instruction Reference).
struct VmxOutcome {
  enum class Kind : std::uint8_t {
    kException,    // a fault: RIP stays
    kSucceed,      // VMsucceed
    kFailInvalid,  // VMfailInvalid
    kFailValid,    // VMfailValid(error); the error is in the current VMCS already
    kEnter,        // go on with the VM-entry checks; flags and RIP are not for now
  };

  Kind kind = Kind::kSucceed;
  arch::Exception exception;
  InstructionError error = InstructionError::kNone;
  bool is_launch = false;                    // of kEnter
  std::optional<Invalidation> invalidation;  // of kSucceed

  [[nodiscard]] static constexpr VmxOutcome succeed() { return {}; }
  [[nodiscard]] static constexpr VmxOutcome raise(const arch::Exception& exception) {
    VmxOutcome outcome;
    outcome.kind = Kind::kException;
    outcome.exception = exception;
    return outcome;
  }
  [[nodiscard]] static constexpr VmxOutcome undefined_opcode() {
    return raise({.vector = arch::Vector::kUd, .error_code = std::nullopt, .cr2 = 0});
  }
  [[nodiscard]] static constexpr VmxOutcome general_protection() {
    return raise({.vector = arch::Vector::kGp, .error_code = 0, .cr2 = 0});
  }
  [[nodiscard]] static constexpr VmxOutcome fail_invalid() {
    VmxOutcome outcome;
    outcome.kind = Kind::kFailInvalid;
    return outcome;
  }
  [[nodiscard]] static constexpr VmxOutcome fail_valid(InstructionError error) {
    VmxOutcome outcome;
    outcome.kind = Kind::kFailValid;
    outcome.error = error;
    return outcome;
  }
  [[nodiscard]] static constexpr VmxOutcome enter(bool is_launch) {
    VmxOutcome outcome;
    outcome.kind = Kind::kEnter;
    outcome.is_launch = is_launch;
    return outcome;
  }
  [[nodiscard]] static constexpr VmxOutcome invalidate(const Invalidation& what) {
    VmxOutcome outcome;
    outcome.invalidation = what;
    return outcome;
  }
};

// RFLAGS after a VMX instruction that ended without exception or entry.
[[nodiscard]] constexpr std::uint64_t rflags_after(VmxOutcome::Kind kind, std::uint64_t rflags) {
  const std::uint64_t cleared = rflags & ~arch::rflags::kArithmetic;
  switch (kind) {
    case VmxOutcome::Kind::kSucceed:
      return cleared;
    case VmxOutcome::Kind::kFailInvalid:
      return cleared | arch::rflags::kCf;
    case VmxOutcome::Kind::kFailValid:
      return cleared | arch::rflags::kZf;
    case VmxOutcome::Kind::kException:
    case VmxOutcome::Kind::kEnter:
      return rflags;
  }
  return rflags;
}

}  // namespace archelon::vmx
