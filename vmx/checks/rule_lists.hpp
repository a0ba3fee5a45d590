#pragma once

#include "vmx/checks/execution_rules.hpp"
#include "vmx/checks/exit_entry_rules.hpp"
#include "vmx/checks/guest_register_rules.hpp"
#include "vmx/checks/guest_segment_rules.hpp"
#include "vmx/checks/guest_state_rules.hpp"
#include "vmx/checks/host_rules.hpp"

namespace archelon::vmx::checks {

// Calls f(ListOf) for each list of rules in the SDM's order until it answers true; answers whether
// it did.
template <class F>
constexpr bool any_list(F&& f) {
  return f(ListOf<kControlWordRules>{}) || f(ListOf<kInterruptControlRules>{}) ||
         f(ListOf<kMemoryControlRules>{}) || f(ListOf<kFeatureControlRules>{}) ||
         f(ListOf<kTertiaryRules>{}) || f(ListOf<kExitControlRules>{}) ||
         f(ListOf<kEntryControlRules>{}) || f(ListOf<kHostRegisterRules>{}) ||
         f(ListOf<kHostSegmentRules>{}) || f(ListOf<kAddressSpaceRules>{}) ||
         f(ListOf<kGuestControlRegisterRules>{}) || f(ListOf<kGuestMsrRules>{}) ||
         f(ListOf<kSegmentAddressRules>{}) || f(ListOf<kSegmentTypeRules>{}) ||
         f(ListOf<kSegmentDplRules>{}) || f(ListOf<kSegmentRightsRules>{}) ||
         f(ListOf<kSystemSegmentRules>{}) || f(ListOf<kFredSegmentRules>{}) ||
         f(ListOf<kGuestTableRules>{}) || f(ListOf<kGuestRipRules>{}) ||
         f(ListOf<kActivityRules>{}) || f(ListOf<kInterruptibilityRules>{}) ||
         f(ListOf<kPendingDebugRules>{}) || f(ListOf<kLinkPointerRules>{}) ||
         f(ListOf<kPdpteRules>{});
}

}  // namespace archelon::vmx::checks
