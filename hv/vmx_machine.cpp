#include "hv/vmx_machine.hpp"

#include <array>
#include <cstring>

#include "hv/arch/cpuid.hpp"
#include "hv/arch/msr.hpp"
#include "hv/base/log.hpp"
#include "hv/control_registers.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/system.hpp"
#include "vmx/l0_controls.hpp"
#include "vmx/requirements.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;

struct HardwareMsrs {
  [[nodiscard]] std::uint64_t read(std::uint32_t index) const { return archelon::hw::rdmsr(index); }
};

constinit std::array<Hpa, archelon::hw::kMaxCpus> g_vmxon_regions{};

[[nodiscard]] std::uint32_t clamped(ControlWord word, const ControlRequest& request) {
  const auto result =
      clamp(request.must, request.want, system().capabilities.control(word));
  if (!result) {
    log_error("VT-x: the CPU lacks {} control \"{}\"", control_word_name(word),
              control_name(word, result.error()));
    system().vmx_usable = false;
    return 0;
  }
  return static_cast<std::uint32_t>(*result);
}

// IA32_FEATURE_CONTROL with VMX enabled: locked that way by firmware, or now by L0.
[[nodiscard]] bool enable_in_feature_control() {
  constexpr std::uint64_t kNeeded =
      arch::msr::kFeatureControlLocked | arch::msr::kFeatureControlVmxOutsideSmx;
  const std::uint64_t value = archelon::hw::rdmsr(arch::msr::kFeatureControl);
  if ((value & arch::msr::kFeatureControlLocked) == 0) {
    archelon::hw::wrmsr(arch::msr::kFeatureControl, value | kNeeded);
  }
  return (archelon::hw::rdmsr(arch::msr::kFeatureControl) & kNeeded) == kNeeded;
}

arch::CpuidResult features_leaf() {
  const auto leaf = archelon::hw::cpuid(1);
  return {.eax = leaf.eax, .ebx = leaf.ebx, .ecx = leaf.ecx, .edx = leaf.edx};
}

bool has_vmx() {
  return (features_leaf().ecx & arch::cpuid::k1EcxVmx) != 0;
}

}  // namespace

RequirementNames vmx_missing() {
  const std::uint64_t feature_control =
      has_vmx() ? archelon::hw::rdmsr(arch::msr::kFeatureControl) : 0;
  return missing_requirements(system().capabilities, feature_control, features_leaf());
}

void probe_vmx() {
  System& s = system();
  if (has_vmx()) {
    HardwareMsrs msrs;
    s.capabilities = read_capabilities(msrs);
  }
  const RequirementNames missing = vmx_missing();
  for (const std::string_view name : missing) {
    log_error("VT-x: missing: {}", name);
  }
  s.vmx_usable = missing.empty();
  if (!s.vmx_usable) {
    log_error("VT-x: no VM can run on this machine; the shell still works");
    return;
  }
  for (const std::string_view name : missing_optional_features(s.capabilities)) {
    log_info("VT-x: without {}", name);
  }
  s.l0_pin = clamped(ControlWord::kPin, kL0Pin);
  s.l0_primary = clamped(ControlWord::kPrimary, kL0Primary);
  s.l0_secondary = clamped(ControlWord::kSecondary, kL0Secondary);
  // VPIDs are of use only where they can be flushed.
  if (!s.capabilities.has_ept_vpid(ept_vpid::kInvvpid | ept_vpid::kInvvpidSingle) &&
      !s.capabilities.has_ept_vpid(ept_vpid::kInvvpid | ept_vpid::kInvvpidAll)) {
    s.l0_secondary &= ~secondary::kEnableVpid;
  }
  s.l0_exit = clamped(ControlWord::kExit, kL0Exit);
  s.l0_entry = clamped(ControlWord::kEntry, kL0Entry);
}

bool enter_vmx_operation() {
  System& s = system();
  const std::uint32_t index = archelon::hw::this_cpu().index;
  HardwareMsrs msrs;
  if (!enable_in_feature_control()) {
    log_error("VT-x: CPU {}: firmware has locked VT-x off in IA32_FEATURE_CONTROL", index);
    return false;
  }
  const Capabilities mine = read_capabilities(msrs);
  if (const auto differs = first_disagreement(s.capabilities, mine)) {
    log_error("VT-x: CPU {}: capability MSR {:#x} differs from the boot CPU's: {:#x} and {:#x}",
              index, *differs, mine[*differs], s.capabilities[*differs]);
    return false;
  }
  namespace hw = archelon::hw;
  hw::write_cr0((hw::read_cr0() | s.capabilities[arch::msr::kVmxCr0Fixed0]) &
                s.capabilities[arch::msr::kVmxCr0Fixed1]);
  hw::write_cr4((hw::read_cr4() | s.capabilities[arch::msr::kVmxCr4Fixed0]) &
                s.capabilities[arch::msr::kVmxCr4Fixed1]);
  if (g_vmxon_regions[index] == Hpa()) {
    g_vmxon_regions[index] = must_allocate_frame();
    const std::uint32_t revision = s.capabilities.revision();
    std::memcpy(s.memory.pointer(g_vmxon_regions[index]), &revision, sizeof(revision));
  }
  if (vmx::native::vmxon(g_vmxon_regions[index]) != vmx::native::Outcome::kSucceed) {
    log_error("VT-x: CPU {}: VMXON failed", index);
    return false;
  }
  vmx::native::forget_current();
  return true;
}

void leave_vmx_operation() {
  namespace hw = archelon::hw;
  if ((hw::read_cr4() & arch::cr4::kVmxe) != 0) {
    static_cast<void>(vmx::native::vmxoff());
    hw::write_cr4(hw::read_cr4() & ~arch::cr4::kVmxe);
  }
}

void write_host_state(vmx::native::Vmcs& vmcs) {
  namespace hw = archelon::hw;
  const hw::PerCpu& cpu = hw::this_cpu();
  vmcs.write(fields::kHostCr0, hw::read_cr0());
  vmcs.write(fields::kHostCr3, hw::read_cr3());
  vmcs.write(fields::kHostCr4, hw::read_cr4());
  vmcs.write(fields::kHostEsSelector, 0);
  vmcs.write(fields::kHostCsSelector, hw::kCodeSelector);
  vmcs.write(fields::kHostSsSelector, 0);
  vmcs.write(fields::kHostDsSelector, 0);
  vmcs.write(fields::kHostFsSelector, 0);
  vmcs.write(fields::kHostGsSelector, 0);
  vmcs.write(fields::kHostTrSelector, hw::kTssSelector);
  vmcs.write(fields::kHostFsBase, 0);
  vmcs.write(fields::kHostGsBase, cpu.gs_base());
  vmcs.write(fields::kHostTrBase, cpu.tss_base());
  vmcs.write(fields::kHostGdtrBase, cpu.gdt_base());
  vmcs.write(fields::kHostIdtrBase, hw::sidt().base);
  vmcs.write(fields::kHostSysenterCs, 0);
  vmcs.write(fields::kHostSysenterEsp, 0);
  vmcs.write(fields::kHostSysenterEip, 0);
  vmcs.write(fields::kHostPat, hw::rdmsr(arch::msr::kPat));
  vmcs.write(fields::kHostEfer, hw::rdmsr(arch::msr::kEfer));
  vmcs.write(fields::kHostRip, reinterpret_cast<std::uint64_t>(vmx::native::archelon_vmx_exit));
}

L0Policy l0_policy(std::uint64_t tsc_offset) {
  const System& s = system();
  return {.pin = s.l0_pin,
          .primary = s.l0_primary,
          .secondary = s.l0_secondary,
          .exit = s.l0_exit,
          .entry = s.l0_entry,
          .exception_bitmap = kL0ExceptionBitmap,
          .cr0_owned = kL0OwnedCr0,
          .cr4_owned = ~offered_cr4(),
          .tsc_offset = tsc_offset};
}

}  // namespace archelon::hv
