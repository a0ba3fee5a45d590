#include "vmx/exit.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_vmcs.hpp"

using namespace archelon;
using namespace archelon::vmx;

namespace {

// Every field of exit information has a value, whether the reason defines it or not.
test::FakeVmcs after(std::uint32_t reason) {
  test::FakeVmcs vmcs;
  vmcs.write(fields::kExitReason, reason);
  vmcs.write(fields::kExitQualification, 0x1122);
  vmcs.write(fields::kExitInstructionLength, 3);
  vmcs.write(fields::kExitInterruptionInfo, 0x8000'0b0e);  // #PF with an error code
  vmcs.write(fields::kExitInterruptionErrorCode, 7);
  vmcs.write(fields::kIdtVectoringInfo, 0x8000'0b0d);  // #GP with an error code
  vmcs.write(fields::kIdtVectoringErrorCode, 0x18);
  return vmcs;
}

EntryEvent again(std::uint32_t idt_vectoring) {
  test::FakeVmcs vmcs = after(48);
  vmcs.write(fields::kIdtVectoringInfo, idt_vectoring);
  return interrupted_delivery(decode_exit(vmcs));
}

}  // namespace

TEST_CASE("an exit is read with what its reason defines") {
  test::FakeVmcs vmcs = after(0);
  const Exit exception = decode_exit(vmcs);
  CHECK(exception.basic() == BasicExitReason::kExceptionOrNmi);
  CHECK(exception.qualification == 0x1122);
  CHECK(exception.instruction_length == 3);
  CHECK(exception.interruption.is_exception(arch::Vector::kPf));
  CHECK(exception.interruption_error == 7);
  CHECK(exception.idt_vectoring.is_exception(arch::Vector::kGp));
  CHECK(exception.idt_vectoring_error == 0x18);

  test::FakeVmcs cpuid = after(10);
  const Exit other = decode_exit(cpuid);
  CHECK(other.interruption.word == 0);
  CHECK(other.interruption_error == 0);
  CHECK(other.idt_vectoring.valid());
}

TEST_CASE("each field is read once, and an error code where there is one") {
  test::FakeVmcs vmcs = after(0);
  vmcs.write(fields::kExitInterruptionInfo, 0x8000'0306);  // #UD
  vmcs.write(fields::kIdtVectoringInfo, 0x8000'0030);      // external interrupt
  const Exit exit = decode_exit(vmcs);
  CHECK(exit.interruption_error == 0);
  CHECK(exit.idt_vectoring_error == 0);
  for (const std::uint32_t encoding : vmcs.reads) {
    CHECK(vmcs.reads.count(encoding) == 1);
  }
  CHECK(vmcs.reads.count(fields::kExitInterruptionErrorCode.encoding) == 0);
  CHECK(vmcs.reads.count(fields::kIdtVectoringErrorCode.encoding) == 0);
}

TEST_CASE(
    "a failed entry leaves a reason and a qualification, and what is older counts for nothing") {
  test::FakeVmcs vmcs = after(ExitReason::kEntryFailure | 33);
  const Exit exit = decode_exit(vmcs);
  CHECK(exit.reason.entry_failed());
  CHECK(exit.basic() == BasicExitReason::kEntryFailureGuestState);
  CHECK(exit.qualification == 0x1122);
  CHECK(exit.instruction_length == 0);
  CHECK_FALSE(exit.idt_vectoring.valid());
  CHECK_FALSE(interrupted_delivery(exit).valid());
}

TEST_CASE("an interrupted delivery becomes the next entry's event") {
  // A page fault, an external interrupt, an NMI: as they are, without a length.
  CHECK(again(0x8000'0b0e).info.word == 0x8000'0b0e);
  CHECK(again(0x8000'0b0e).error_code == 0x18);
  CHECK(again(0x8000'0b0e).instruction_length == 0);
  CHECK(again(0x8000'0030).info.word == 0x8000'0030);
  CHECK(again(0x8000'0030).error_code == 0);
  // Bit 12 is undefined after an exit and reserved at entry.
  CHECK(again(0x8000'1202).info.word == 0x8000'0202);
  // INT 80H, INT1, INT3: with the length of the instruction.
  for (const std::uint32_t word : {0x8000'0480u, 0x8000'0501u, 0x8000'0603u}) {
    CHECK(again(word).info.word == word);
    CHECK(again(word).instruction_length == 3);
  }
  CHECK_FALSE(again(0x0000'0b0e).valid());
}

TEST_CASE("an event is written with just the fields that it needs") {
  test::FakeVmcs vmcs;
  write_entry_event(vmcs, {.info = {0x8000'0030}, .error_code = 9, .instruction_length = 9});
  CHECK(vmcs.read(fields::kEntryInterruptionInfo) == 0x8000'0030);
  CHECK(vmcs.writes.size() == 1);
  write_entry_event(vmcs, {.info = {0x8000'0b0e}, .error_code = 6, .instruction_length = 9});
  CHECK(vmcs.read(fields::kEntryExceptionErrorCode) == 6);
  CHECK(vmcs.writes.count(fields::kEntryInstructionLength.encoding) == 0);
  write_entry_event(vmcs, {.info = {0x8000'0603}, .error_code = 9, .instruction_length = 1});
  CHECK(vmcs.read(fields::kEntryInstructionLength) == 1);
  CHECK(vmcs.read(fields::kEntryExceptionErrorCode) == 6);
}
