#pragma once

#include <cstdint>
#include <optional>

#include "vmx/checks/entry_rule.hpp"
#include "vmx/field_set.hpp"
#include "vmx/instruction_error.hpp"

namespace archelon::vmx {

// The first check that fails, if any.
struct Verdict {
  std::optional<RuleId> failed;

  [[nodiscard]] constexpr bool passed() const { return !failed; }
  // Of a failed check: how the entry ends. For CheckStage::kGuest it is exit 33 with the
  // qualification, else VMfailValid with the error.
  [[nodiscard]] CheckStage stage() const { return entry_rule(*failed).stage(); }
  [[nodiscard]] InstructionError error() const {
    return stage() == CheckStage::kControls ? InstructionError::kEntryInvalidControls
                                            : InstructionError::kEntryInvalidHostState;
  }
  [[nodiscard]] std::uint64_t qualification() const { return entry_rule(*failed).qualification; }
};

// What need not be checked again, or is checked by the CPU.
struct CheckScope {
  // Fields that may differ from those of the last entry whose checks passed. A check of other
  // fields alone is skipped, unless it looks at memory too.
  FieldSet changed = kAllFields;
  // Guest-state fields which the CPU will check: they live in the VMCS that the CPU is to run, and
  // are costly to read here. A check of guest state that looks at one of them is skipped where all
  // guest state that it looks at is in `verbatim`; the controls that it looks at must then mean the
  // same in both VMCSs too, or mean that the CPU checks more.
  FieldSet elsewhere{};
  // Guest-state fields that have the same value in that VMCS as in this one.
  FieldSet verbatim{};
};

}  // namespace archelon::vmx
