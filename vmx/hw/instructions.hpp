#pragma once

#include <cstdint>

#include "hv/base/address.hpp"
#include "hv/arch/registers.hpp"

// The VMX instructions, each with the outcome of CF and ZF. SDM vol. 3C, "VMX Instruction
// Reference", "Conventions".
namespace archelon::vmx::native {

enum class Outcome : std::uint8_t { kSucceed, kFailInvalid, kFailValid };

[[nodiscard]] constexpr Outcome outcome(bool carry, bool zero) {
  return carry ? Outcome::kFailInvalid : zero ? Outcome::kFailValid : Outcome::kSucceed;
}

// Each takes the physical address of a 4 KiB region by a pointer to it, as the instructions do.
[[nodiscard]] inline Outcome vmxon(Hpa region) {
  const std::uint64_t address = region.value();
  bool carry = false;
  bool zero = false;
  asm volatile("vmxon %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(address) : "memory");
  return outcome(carry, zero);
}

[[nodiscard]] inline Outcome vmxoff() {
  bool carry = false;
  bool zero = false;
  asm volatile("vmxoff" : "=@ccc"(carry), "=@ccz"(zero) : : "memory");
  return outcome(carry, zero);
}

[[nodiscard]] inline Outcome vmclear(Hpa region) {
  const std::uint64_t address = region.value();
  bool carry = false;
  bool zero = false;
  asm volatile("vmclear %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(address) : "memory");
  return outcome(carry, zero);
}

[[nodiscard]] inline Outcome vmptrld(Hpa region) {
  const std::uint64_t address = region.value();
  bool carry = false;
  bool zero = false;
  asm volatile("vmptrld %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(address) : "memory");
  return outcome(carry, zero);
}

[[nodiscard]] inline Outcome vmread(std::uint64_t encoding, std::uint64_t& value) {
  bool carry = false;
  bool zero = false;
  asm volatile("vmread %3, %2" : "=@ccc"(carry), "=@ccz"(zero), "=r"(value) : "r"(encoding));
  return outcome(carry, zero);
}

[[nodiscard]] inline Outcome vmwrite(std::uint64_t encoding, std::uint64_t value) {
  bool carry = false;
  bool zero = false;
  asm volatile("vmwrite %3, %2"
               : "=@ccc"(carry), "=@ccz"(zero)
               : "r"(encoding), "rm"(value)
               : "memory");
  return outcome(carry, zero);
}

enum class InveptType : std::uint64_t { kSingleContext = 1, kAllContexts = 2 };

[[nodiscard]] inline Outcome invept(InveptType type, std::uint64_t eptp) {
  const struct {
    std::uint64_t eptp;
    std::uint64_t reserved;
  } descriptor{eptp, 0};
  bool carry = false;
  bool zero = false;
  asm volatile("invept %2, %3"
               : "=@ccc"(carry), "=@ccz"(zero)
               : "m"(descriptor), "r"(static_cast<std::uint64_t>(type))
               : "memory");
  return outcome(carry, zero);
}

enum class InvvpidType : std::uint64_t {
  kIndividualAddress = 0,
  kSingleContext = 1,
  kAllContexts = 2,
  kSingleContextRetainingGlobals = 3,
};

[[nodiscard]] inline Outcome invvpid(InvvpidType type, std::uint16_t vpid, Gva address) {
  const struct {
    std::uint64_t vpid;
    std::uint64_t address;
  } descriptor{vpid, address.value()};
  bool carry = false;
  bool zero = false;
  asm volatile("invvpid %2, %3"
               : "=@ccc"(carry), "=@ccz"(zero)
               : "m"(descriptor), "r"(static_cast<std::uint64_t>(type))
               : "memory");
  return outcome(carry, zero);
}

// vmx/hw/entry.asm. 0: the guest ran and exited; 1: VMfailInvalid; 2: VMfailValid.
extern "C" unsigned archelon_vmx_enter(arch::Gprs* registers, bool launched,
                                       std::uint64_t* host_rsp);
extern "C" const char archelon_vmx_exit[];

}  // namespace archelon::vmx::native
