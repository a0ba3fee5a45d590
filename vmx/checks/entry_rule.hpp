#pragma once

#include <cstdint>
#include <string_view>

#include "vmx/checks/rule_id.hpp"
#include "vmx/field_set.hpp"

// What is known about each VM-entry check without running it. SDM vol. 3C, "VM Entries".
namespace archelon::vmx {

// What a failing check makes of the VM entry.
enum class CheckStage : std::uint8_t {
  kControls,  // VMfailValid(7)
  kHost,      // VMfailValid(8)
  kGuest,     // exit 33
};

// The SDM's section that lists the check.
enum class CheckSection : std::uint8_t {
  kExecutionControls,
  kExitControls,
  kEntryControls,
  kHostRegisters,
  kHostSegments,
  kAddressSpace,
  kGuestRegisters,
  kGuestSegments,
  kGuestTables,
  kGuestRip,
  kGuestNonRegister,
  kGuestPdptes,
};
inline constexpr std::size_t kCheckSectionCount = 12;

[[nodiscard]] constexpr CheckStage stage_of(CheckSection section) {
  return section <= CheckSection::kEntryControls  ? CheckStage::kControls
         : section <= CheckSection::kAddressSpace ? CheckStage::kHost
                                                  : CheckStage::kGuest;
}

// "Checks on Guest Segment Registers": the title, since numbers drift.
[[nodiscard]] std::string_view section_title(CheckSection section);

// Exit qualifications of a VM entry that fails for the guest's state. SDM vol. 3C, "VM-Entry
// Failures During or After Loading Guest State".
namespace entry_failure {
inline constexpr std::uint8_t kDefault = 0;
inline constexpr std::uint8_t kPdpte = 2;
inline constexpr std::uint8_t kNmiBlockedBySti = 3;
inline constexpr std::uint8_t kLinkPointer = 4;
}  // namespace entry_failure

struct EntryRule {
  RuleId id;
  CheckSection section;
  std::uint8_t qualification;  // of exit 33
  bool reads_memory;           // looks at L1's memory too
  std::string_view name;       // what must hold, in words
  FieldSet fields;             // every field that it may look at

  [[nodiscard]] constexpr CheckStage stage() const { return stage_of(section); }
};

[[nodiscard]] const EntryRule& entry_rule(RuleId id);

}  // namespace archelon::vmx
