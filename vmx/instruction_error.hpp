#pragma once

#include <cstdint>
#include <string_view>

namespace archelon::vmx {

// VM-instruction error numbers. SDM vol. 3C, "VM-Instruction Error Numbers".
enum class InstructionError : std::uint32_t {
  kNone = 0,
  kVmcallInRoot = 1,
  kVmclearInvalidAddress = 2,
  kVmclearVmxonPointer = 3,
  kVmlaunchNonClear = 4,
  kVmresumeNonLaunched = 5,
  kVmresumeAfterVmxoff = 6,
  kEntryInvalidControls = 7,
  kEntryInvalidHostState = 8,
  kVmptrldInvalidAddress = 9,
  kVmptrldVmxonPointer = 10,
  kVmptrldWrongRevision = 11,
  kUnsupportedField = 12,
  kVmwriteReadOnlyField = 13,
  kVmxonInRoot = 15,
  kEntryInvalidExecutiveVmcs = 16,
  kEntryNonLaunchedExecutiveVmcs = 17,
  kEntryExecutiveVmcsNotVmxon = 18,
  kVmcallNonClearVmcs = 19,
  kVmcallInvalidExitControls = 20,
  kVmcallWrongMsegRevision = 22,
  kVmxoffUnderDualMonitor = 23,
  kVmcallInvalidSmmMonitor = 24,
  kEntryInvalidExecutiveControls = 25,
  kEntryMovSsBlocking = 26,
  kInvalidInvalidationOperand = 28,
};

[[nodiscard]] constexpr std::string_view instruction_error_text(std::uint32_t number) {
  switch (static_cast<InstructionError>(number)) {
    case InstructionError::kNone:
      return "no error";
    case InstructionError::kVmcallInRoot:
      return "VMCALL executed in VMX root operation";
    case InstructionError::kVmclearInvalidAddress:
      return "VMCLEAR with invalid physical address";
    case InstructionError::kVmclearVmxonPointer:
      return "VMCLEAR with VMXON pointer";
    case InstructionError::kVmlaunchNonClear:
      return "VMLAUNCH with non-clear VMCS";
    case InstructionError::kVmresumeNonLaunched:
      return "VMRESUME with non-launched VMCS";
    case InstructionError::kVmresumeAfterVmxoff:
      return "VMRESUME after VMXOFF";
    case InstructionError::kEntryInvalidControls:
      return "VM entry with invalid control field(s)";
    case InstructionError::kEntryInvalidHostState:
      return "VM entry with invalid host-state field(s)";
    case InstructionError::kVmptrldInvalidAddress:
      return "VMPTRLD with invalid physical address";
    case InstructionError::kVmptrldVmxonPointer:
      return "VMPTRLD with VMXON pointer";
    case InstructionError::kVmptrldWrongRevision:
      return "VMPTRLD with incorrect VMCS revision identifier";
    case InstructionError::kUnsupportedField:
      return "VMREAD/VMWRITE from/to unsupported VMCS component";
    case InstructionError::kVmwriteReadOnlyField:
      return "VMWRITE to read-only VMCS component";
    case InstructionError::kVmxonInRoot:
      return "VMXON executed in VMX root operation";
    case InstructionError::kEntryInvalidExecutiveVmcs:
      return "VM entry with invalid executive-VMCS pointer";
    case InstructionError::kEntryNonLaunchedExecutiveVmcs:
      return "VM entry with non-launched executive VMCS";
    case InstructionError::kEntryExecutiveVmcsNotVmxon:
      return "VM entry with executive-VMCS pointer not VMXON pointer";
    case InstructionError::kVmcallNonClearVmcs:
      return "VMCALL with non-clear VMCS";
    case InstructionError::kVmcallInvalidExitControls:
      return "VMCALL with invalid VM-exit control fields";
    case InstructionError::kVmcallWrongMsegRevision:
      return "VMCALL with incorrect MSEG revision identifier";
    case InstructionError::kVmxoffUnderDualMonitor:
      return "VMXOFF under dual-monitor treatment";
    case InstructionError::kVmcallInvalidSmmMonitor:
      return "VMCALL with invalid SMM-monitor features";
    case InstructionError::kEntryInvalidExecutiveControls:
      return "VM entry with invalid VM-execution control fields in executive VMCS";
    case InstructionError::kEntryMovSsBlocking:
      return "VM entry with events blocked by MOV SS";
    case InstructionError::kInvalidInvalidationOperand:
      return "invalid operand to INVEPT/INVVPID";
  }
  return "unknown error";
}

}  // namespace archelon::vmx
