#pragma once

#include <cstdint>

#include "vmx/exit_reason.hpp"
#include "vmx/interruption.hpp"
#include "vmx/vmcs_view.hpp"

namespace archelon::vmx {

// One VM exit, read from the VMCS once. Fields that the reason leaves undefined are zero.
// SDM vol. 3C, "VM-Exit Information Fields".
struct Exit {
  ExitReason reason;
  std::uint64_t qualification = 0;
  std::uint32_t instruction_length = 0;
  InterruptionInfo interruption;
  std::uint32_t interruption_error = 0;
  // The event whose delivery the exit cut short.
  InterruptionInfo idt_vectoring;
  std::uint32_t idt_vectoring_error = 0;

  [[nodiscard]] BasicExitReason basic() const { return reason.basic(); }
};

template <VmcsView V>
[[nodiscard]] Exit decode_exit(V& vmcs) {
  Exit exit;
  exit.reason.word = vmcs.read(fields::kExitReason);
  exit.qualification = vmcs.read(fields::kExitQualification);
  if (exit.reason.entry_failed()) {
    return exit;  // the rest is as the last exit left it
  }
  exit.instruction_length = vmcs.read(fields::kExitInstructionLength);
  exit.idt_vectoring.word = vmcs.read(fields::kIdtVectoringInfo);
  if (exit.idt_vectoring.valid() && exit.idt_vectoring.has_error_code()) {
    exit.idt_vectoring_error = vmcs.read(fields::kIdtVectoringErrorCode);
  }
  if (exit.basic() == BasicExitReason::kExceptionOrNmi ||
      exit.basic() == BasicExitReason::kExternalInterrupt) {
    exit.interruption.word = vmcs.read(fields::kExitInterruptionInfo);
    if (exit.interruption.has_error_code()) {
      exit.interruption_error = vmcs.read(fields::kExitInterruptionErrorCode);
    }
  }
  return exit;
}

// An event to be delivered by the next VM entry.
struct EntryEvent {
  InterruptionInfo info;
  std::uint32_t error_code = 0;
  std::uint32_t instruction_length = 0;

  [[nodiscard]] bool valid() const { return info.valid(); }
};

// The event that must be delivered again since `exit` cut its delivery short.
[[nodiscard]] inline EntryEvent interrupted_delivery(const Exit& exit) {
  if (!exit.idt_vectoring.valid()) {
    return {};
  }
  return {.info = exit.idt_vectoring.for_entry(),
          .error_code = exit.idt_vectoring_error,
          .instruction_length =
              exit.idt_vectoring.is_software() ? exit.instruction_length : 0};
}

template <VmcsView V>
void write_entry_event(V& vmcs, const EntryEvent& event) {
  vmcs.write(fields::kEntryInterruptionInfo, event.info.word);
  if (event.info.has_error_code()) {
    vmcs.write(fields::kEntryExceptionErrorCode, event.error_code);
  }
  if (event.info.is_software()) {
    vmcs.write(fields::kEntryInstructionLength, event.instruction_length);
  }
}

}  // namespace archelon::vmx
