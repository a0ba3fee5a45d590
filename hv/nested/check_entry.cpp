#include "vmx/checks/check_entry.hpp"

#include <array>

#include "hv/arch/msr_policy.hpp"
#include "hv/base/log.hpp"
#include "hv/guest_state.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"
#include "vmx/checks/describe.hpp"
#include "vmx/checks/fetching_view.hpp"

// The VM-entry checks on VMCS12. Which fields changed is known, and what L1 has not touched since
// L2 ran is the CPU's own and right by itself. A check of changed fields together with such ones is
// left to the CPU where both reach it as they are; else the field is fetched from VMCS02.
namespace archelon::hv::nested {
namespace {

using namespace vmx;

[[nodiscard]] auto view_of(Vcpu& vcpu, Vmcs12& vmcs12) {
  return FetchingView(vmcs12, [&vcpu, &vmcs12](std::size_t position) {
    fetch_current(vcpu, vmcs12, vcpu.nested->vmcs02_of(vmcs12), position);
  });
}

[[nodiscard]] Verdict run_checks(Vcpu& vcpu, Vmcs12& vmcs12, bool long_mode,
                                 const CheckScope& scope) {
  const System& s = system();
  CheckEnvironment environment;
  environment.physical_bits = s.physical_bits;
  environment.long_mode = long_mode;
  environment.current_vmcs = vmcs12.region().value();
  environment.debugctl = arch::kDebugCtlOffered;
  environment.tsx = vcpu.vm.cpuid.has_7_ebx(arch::cpuid::k7EbxRtm);
  auto view = view_of(vcpu, vmcs12);
  return vmx::check_entry(view, vcpu.vm.memory, s.l1_capabilities, environment, scope);
}

void log_failure(Vcpu& vcpu, Vmcs12& vmcs12, const EntryRule& rule) {
  if (vcpu.counters.nested_entry_failures >= kLoggedFailures) {
    return;
  }
  std::array<char, kDescriptionSize + 64> line;
  const std::size_t head =
      format(line, "vm {} vcpu {}: VM entry fails: ", vcpu.vm.name, vcpu.index).size();
  auto view = view_of(vcpu, vmcs12);
  const std::string_view tail =
      describe(std::span(line).subspan(head), rule,
               [&view](std::size_t position) { return view.read_at(position); });
  if (LogLevel::kWarning <= log_level()) {
    log_line(LogLevel::kWarning, std::string_view(line.data(), head + tail.size()));
  }
}

}  // namespace

std::optional<EntryAttempt> check_entry(Vcpu& vcpu, Vmcs12& vmcs12) {
  const bool long_mode = (guest_efer(vcpu) & arch::efer::kLma) != 0;
  const Verdict verdict =
      run_checks(vcpu, vmcs12, long_mode,
                 {.changed = vmcs12.dirty(), .elsewhere = vmcs12.in_vmcs02(), .verbatim = kCopied});
  if (verdict.passed()) [[likely]] {
    vcpu.use_vmcs(vcpu.vmcs01);
    return std::nullopt;
  }
  log_failure(vcpu, vmcs12, entry_rule(*verdict.failed));
  vcpu.use_vmcs(vcpu.vmcs01);
  if (verdict.stage() == CheckStage::kGuest) {
    return EntryAttempt{.kind = EntryAttempt::Kind::kFailedEntry,
                        .reason = BasicExitReason::kEntryFailureGuestState,
                        .qualification = verdict.qualification()};
  }
  return EntryAttempt{.kind = EntryAttempt::Kind::kFailValid, .error = verdict.error()};
}

void explain_refusal(Vcpu& vcpu, Vmcs12& vmcs12) {
  const bool long_mode =
      (vmcs12.read(fields::kExitControls) & exit_controls::kHostAddressSpaceSize) != 0;
  const Verdict verdict = run_checks(vcpu, vmcs12, long_mode, {});
  if (!verdict.passed()) {
    log_failure(vcpu, vmcs12, entry_rule(*verdict.failed));
  } else if (vcpu.counters.nested_entry_failures < kLoggedFailures) {
    log_warning("vm {} vcpu {}: VM entry fails: the CPU refused guest state that passes all checks",
                vcpu.vm.name, vcpu.index);
  }
}

}  // namespace archelon::hv::nested
