#include "vmx/checks/check_entry.hpp"

#include <array>

#include "hv/base/log.hpp"
#include "hv/guest_state.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"
#include "vmx/checks/describe.hpp"
#include "vmx/checks/fetching_view.hpp"

namespace archelon::hv::nested {
namespace {

using namespace vmx;

void explain(Vcpu& vcpu, const Vmcs12& vmcs12, RuleId rule) {
  std::array<char, kDescriptionSize> text;
  log_debug("vm {} vcpu {}: L2 cannot be entered: {}", vcpu.vm.name, vcpu.index,
            describe(text, entry_rule(rule),
                     [&](std::size_t position) { return vmcs12.last_known(position); }));
}

}  // namespace

std::optional<EntryAttempt> check_entry(Vcpu& vcpu, Vmcs12& vmcs12) {
  Vmcs02& vmcs02 = vcpu.nested->vmcs02_of(vmcs12);
  CheckEnvironment environment;
  environment.physical_bits = system().physical_bits;
  environment.long_mode = (guest_efer(vcpu) & arch::efer::kLma) != 0;
  environment.current_vmcs = vmcs12.region().value();
  FetchingView view(vmcs12,
                    [&](std::size_t position) { fetch_current(vcpu, vmcs12, vmcs02, position); });
  const Verdict verdict = vmx::check_entry(
      view, vcpu.vm.memory, system().l1_capabilities, environment,
      CheckScope{.changed = vmcs12.dirty(), .elsewhere = vmcs12.in_vmcs02(), .verbatim = kCopied});
  vcpu.use_vmcs(vcpu.vmcs01);
  if (verdict.passed()) [[likely]] {
    return std::nullopt;
  }
  explain(vcpu, vmcs12, *verdict.failed);
  if (verdict.stage() == CheckStage::kGuest) {
    return EntryAttempt{.kind = EntryAttempt::Kind::kFailedEntry,
                        .reason = BasicExitReason::kEntryFailureGuestState,
                        .qualification = verdict.qualification()};
  }
  return EntryAttempt{.kind = EntryAttempt::Kind::kFailValid, .error = verdict.error()};
}

}  // namespace archelon::hv::nested
