// The VMX instructions, each with its outcome as SDM volume 3, "Conventions" of the VMX instruction
// reference, names it.
#pragma once

#include <cstdint>

#include "runtime/trap.hpp"
#include "vmx/fields.hpp"

namespace guest::vmx {

enum class Verdict : std::uint8_t { kSucceed, kFailInvalid, kFailValid, kFault };

struct Outcome {
  Verdict verdict = Verdict::kSucceed;
  std::uint32_t error = 0;  // VM-instruction error of kFailValid
  Fault fault{};

  constexpr bool ok() const { return verdict == Verdict::kSucceed; }
};

Outcome vmxon(std::uint64_t pa);
Outcome vmxoff();
Outcome vmclear(std::uint64_t pa);
Outcome vmptrld(std::uint64_t pa);
Outcome vmptrst(std::uint64_t* pa);
Outcome vmread(std::uint64_t encoding, std::uint64_t& value);
Outcome vmwrite(std::uint64_t encoding, std::uint64_t value);
// VMLAUNCH and VMRESUME where they must fail; an entry that succeeds is Vcpu's business.
Outcome vmlaunch();
Outcome vmresume();
Outcome vmcall();

struct alignas(16) InvDescriptor {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
Outcome invept(std::uint64_t type, const InvDescriptor& descriptor);
Outcome invvpid(std::uint64_t type, const InvDescriptor& descriptor);

// Read and write of the current VMCS where failure means that the guest's own code is wrong.
std::uint64_t read(Field field);
void write(Field field, std::uint64_t value);

// The outcome of VM entry's instruction from its flags.
Outcome outcome_of(bool carry, bool zero, const Fault& fault);

// Ends the guest unless the outcome is VMsucceed.
void must(const char* what, const Outcome& outcome);

using guest::put;
void put(const Outcome& outcome);

}  // namespace guest::vmx
