#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmx/controls.hpp"
#include "vmx/field_set.hpp"
#include "vmx/fields.hpp"

// VMCS12's fields in groups that are looked at together: what merge recomputes, and what a nested
// exit saves.
namespace archelon::vmx {

enum class FieldGroup : std::uint8_t {
  kControls,       // control words and all that is not below
  kCrMasks,        // CR0/CR4 masks and shadows, CR3 targets
  kBitmaps,        // addresses of the I/O, MSR and exiting bitmaps
  kEvents,         // what is injected at entry
  kEptVpid,        // EPT pointer, VPID
  kExitInfo,       // read-only data
  kGuestHot,       // RIP, RSP, RFLAGS, interruptibility, activity, pending debug exceptions
  kGuestCrs,       // CR0, CR3, CR4, DR7, PDPTEs
  kGuestSegments,  // segments and descriptor tables
  kGuestMsrs,      // everything else of the guest
  kHostState,
};
inline constexpr std::size_t kFieldGroupCount = 11;

// A set of groups.
using GroupMask = std::uint32_t;
[[nodiscard]] constexpr GroupMask mask_of(FieldGroup group) {
  return GroupMask{1} << static_cast<unsigned>(group);
}
template <class... Groups>
[[nodiscard]] constexpr GroupMask masks_of(Groups... groups) {
  return (mask_of(groups) | ...);
}
inline constexpr GroupMask kAllGroups = (GroupMask{1} << kFieldGroupCount) - 1;
inline constexpr GroupMask kGuestGroups =
    masks_of(FieldGroup::kGuestHot, FieldGroup::kGuestCrs, FieldGroup::kGuestSegments,
             FieldGroup::kGuestMsrs);

namespace detail {

constexpr FieldGroup control_group(std::uint32_t encoding) {
  using namespace fields;
  if (encoding == kVpid.encoding || encoding == kEptPointer.encoding) {
    return FieldGroup::kEptVpid;
  }
  if (encoding == kIoBitmapA.encoding || encoding == kIoBitmapB.encoding ||
      encoding == kMsrBitmaps.encoding || encoding == kVmreadBitmapAddress.encoding ||
      encoding == kVmwriteBitmapAddress.encoding) {
    return FieldGroup::kBitmaps;
  }
  if (encoding == kEntryInterruptionInfo.encoding ||
      encoding == kEntryExceptionErrorCode.encoding ||
      encoding == kEntryInstructionLength.encoding) {
    return FieldGroup::kEvents;
  }
  if (field_width(encoding) == FieldWidth::kNatural) {
    return FieldGroup::kCrMasks;
  }
  return FieldGroup::kControls;
}

constexpr FieldGroup guest_group(std::uint32_t encoding) {
  using namespace fields;
  if (encoding == kGuestRip.encoding || encoding == kGuestRsp.encoding ||
      encoding == kGuestRflags.encoding || encoding == kGuestPendingDebugExceptions.encoding ||
      encoding == kGuestInterruptibilityState.encoding ||
      encoding == kGuestActivityState.encoding) {
    return FieldGroup::kGuestHot;
  }
  if (encoding == kGuestCr0.encoding || encoding == kGuestCr3.encoding ||
      encoding == kGuestCr4.encoding || encoding == kGuestDr7.encoding ||
      (encoding >= kGuestPdpte0.encoding && encoding <= kGuestPdpte3.encoding)) {
    return FieldGroup::kGuestCrs;
  }
  if ((encoding >= kGuestEsSelector.encoding && encoding <= kGuestTrSelector.encoding) ||
      (encoding >= kGuestEsLimit.encoding && encoding <= kGuestTrAccessRights.encoding) ||
      (encoding >= kGuestEsBase.encoding && encoding <= kGuestIdtrBase.encoding)) {
    return FieldGroup::kGuestSegments;
  }
  return FieldGroup::kGuestMsrs;
}

constexpr FieldGroup group_of(std::uint32_t encoding) {
  switch (field_type(encoding)) {
    case FieldType::kControl:
      return control_group(encoding);
    case FieldType::kReadOnly:
      return FieldGroup::kExitInfo;
    case FieldType::kGuestState:
      return guest_group(encoding);
    case FieldType::kHostState:
      return FieldGroup::kHostState;
  }
  return FieldGroup::kControls;
}

inline constexpr auto kGroups = [] {
  std::array<FieldGroup, kFieldCount> groups{};
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    groups[i] = group_of(kFieldNames[i].encoding);
  }
  return groups;
}();

inline constexpr auto kGroupMembers = [] {
  std::array<FieldSet, kFieldGroupCount> members{};
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    members[static_cast<std::size_t>(kGroups[i])].add(i);
  }
  return members;
}();

}  // namespace detail

// The group of the field at `position` of kFieldNames.
[[nodiscard]] constexpr FieldGroup field_group(std::size_t position) {
  return detail::kGroups[position];
}
[[nodiscard]] constexpr const FieldSet& fields_of(FieldGroup group) {
  return detail::kGroupMembers[static_cast<std::size_t>(group)];
}

// The guest-state fields that a VM exit writes under L1's VM-exit controls `exit_controls12`: those
// which live in VMCS02 once L2 has run. The others keep what L1 last wrote. SDM vol. 3C, "Saving
// Guest State".
[[nodiscard]] constexpr FieldSet fields_saved_on_exit(std::uint32_t exit_controls12) {
  using namespace fields;
  FieldSet saved = fields_of(FieldGroup::kGuestHot);
  saved |= fields_of(FieldGroup::kGuestCrs);
  saved |= fields_of(FieldGroup::kGuestSegments);
  saved.add(position_of(kGuestSysenterCs));
  saved.add(position_of(kGuestSysenterEsp));
  saved.add(position_of(kGuestSysenterEip));
  if ((exit_controls12 & exit_controls::kSaveDebugControls) != 0) {
    saved.add(position_of(kGuestDebugCtl));
  } else {
    saved.remove(position_of(kGuestDr7));
  }
  if ((exit_controls12 & exit_controls::kSavePat) != 0) {
    saved.add(position_of(kGuestPat));
  }
  if ((exit_controls12 & exit_controls::kSaveEfer) != 0) {
    saved.add(position_of(kGuestEfer));
  }
  if ((exit_controls12 & exit_controls::kSavePreemptionTimer) != 0) {
    saved.add(position_of(kPreemptionTimerValue));
  }
  return saved;
}

}  // namespace archelon::vmx
