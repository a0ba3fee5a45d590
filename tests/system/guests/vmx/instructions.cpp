#include "vmx/instructions.hpp"

namespace guest::vmx {

Outcome outcome_of(bool carry, bool zero, const Fault& fault) {
  if (fault.happened) return {Verdict::kFault, 0, fault};
  if (carry) return {Verdict::kFailInvalid, 0, {}};
  if (!zero) return {};
  std::uint64_t error = 0;
  asm volatile("vmread %1, %0"
               : "=r"(error)
               : "r"(static_cast<std::uint64_t>(Field::kInstructionError))
               : "cc", "memory");
  return {Verdict::kFailValid, static_cast<std::uint32_t>(error), {}};
}

// The body of every wrapper: an instruction whose operands follow, tried, with its flags.
#define GUEST_VMX_BODY(instruction, ...)       \
  bool carry = false;                          \
  bool zero = false;                           \
  expect_fault();                              \
  asm volatile(GUEST_TRY(instruction)          \
               : "=@ccc"(carry), "=@ccz"(zero) \
               : __VA_ARGS__                   \
               : "rax", "memory");             \
  return outcome_of(carry, zero, take_fault())

Outcome vmxon(std::uint64_t pa) {
  GUEST_VMX_BODY("vmxon %[pa]", [pa] "m"(pa));
}
Outcome vmxoff() {
  GUEST_VMX_BODY("vmxoff", );
}
Outcome vmclear(std::uint64_t pa) {
  GUEST_VMX_BODY("vmclear %[pa]", [pa] "m"(pa));
}
Outcome vmptrld(std::uint64_t pa) {
  GUEST_VMX_BODY("vmptrld %[pa]", [pa] "m"(pa));
}
Outcome vmptrst(std::uint64_t* pa) {
  GUEST_VMX_BODY("vmptrst (%[pa])", [pa] "r"(pa));
}
Outcome vmwrite(std::uint64_t encoding, std::uint64_t value) {
  GUEST_VMX_BODY("vmwrite %[value], %[field]", [field] "r"(encoding), [value] "r"(value));
}
Outcome vmread(std::uint64_t encoding, std::uint64_t& value) {
  GUEST_VMX_BODY("vmread %[field], (%[to])", [field] "r"(encoding), [to] "r"(&value));
}
Outcome vmlaunch() {
  GUEST_VMX_BODY("vmlaunch", );
}
Outcome vmresume() {
  GUEST_VMX_BODY("vmresume", );
}
Outcome vmcall() {
  GUEST_VMX_BODY("vmcall", );
}
Outcome invept(std::uint64_t type, const InvDescriptor& descriptor) {
  GUEST_VMX_BODY("invept %[d], %[type]", [d] "m"(descriptor), [type] "r"(type));
}
Outcome invvpid(std::uint64_t type, const InvDescriptor& descriptor) {
  GUEST_VMX_BODY("invvpid %[d], %[type]", [d] "m"(descriptor), [type] "r"(type));
}

#undef GUEST_VMX_BODY

std::uint64_t read(Field field) {
  std::uint64_t value = 0;
  const Outcome outcome = vmread(static_cast<std::uint64_t>(field), value);
  if (!outcome.ok()) {
    fail("vmread ", hex(static_cast<std::uint64_t>(field)), ": ", outcome);
  }
  return value;
}

void write(Field field, std::uint64_t value) {
  const Outcome outcome = vmwrite(static_cast<std::uint64_t>(field), value);
  if (!outcome.ok()) {
    fail("vmwrite ", hex(static_cast<std::uint64_t>(field)), " ", hex(value), ": ", outcome);
  }
}

void must(const char* what, const Outcome& outcome) {
  if (!outcome.ok()) fail(what, ": ", outcome);
}

void put(const Outcome& outcome) {
  switch (outcome.verdict) {
    case Verdict::kSucceed:
      guest::put("VMsucceed");
      return;
    case Verdict::kFailInvalid:
      guest::put("VMfailInvalid");
      return;
    case Verdict::kFailValid:
      guest::put("VMfailValid(");
      guest::put_decimal(outcome.error);
      guest::put(")");
      return;
    case Verdict::kFault:
      guest::put(outcome.fault);
      return;
  }
}

}  // namespace guest::vmx
