#include "hv/guest_cpu.hpp"

#include "hv/arch/msr.hpp"
#include "hv/arch/msr_policy.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/machine_features.hpp"
#include "hv/system.hpp"
#include "vmx/field_exists.hpp"
#include "vmx/l1_capabilities.hpp"

namespace archelon::hv {
namespace {

constinit arch::CpuidTable g_table;

}  // namespace

arch::CpuidResult hardware_cpuid(std::uint32_t leaf, std::uint32_t subleaf) {
  const auto r = hw::cpuid(leaf, subleaf);
  return {.eax = r.eax, .ebx = r.ebx, .ecx = r.ecx, .edx = r.edx};
}

arch::CpuidOptions cpuid_options(unsigned cpus) {
  const System& s = system();
  return {.cpus = cpus,
          .tsc_hz = s.clock.hz(),
          .vmx = true,
          .enable_rdtscp = (s.l0_secondary & vmx::secondary::kEnableRdtscp) != 0,
          .enable_invpcid = (s.l0_secondary & vmx::secondary::kEnableInvpcid) != 0,
          .enable_xsaves = (s.l0_secondary & vmx::secondary::kEnableXsaves) != 0,
          .enable_xsavec = machine_features().compaction_sound};
}

void prepare_guest_cpu() {
  System& s = system();
  g_table.build(hardware_cpuid, cpuid_options(1));
  std::uint64_t arch_capabilities = 0;
  std::uint64_t microcode = 0;
  static_cast<void>(hw::rdmsr_safe(arch::msr::kArchCapabilities, arch_capabilities));
  static_cast<void>(hw::rdmsr_safe(arch::msr::kMicrocodeSignature, microcode));
  s.msr_config = arch::make_msr_config(g_table, arch_capabilities,
                                       static_cast<std::uint32_t>(microcode >> 32));
  s.offered_cr4 = g_table.cr4();
  s.l1_capabilities = vmx::l1_capabilities(s.capabilities, s.offered_cr4);
  s.l1_fields = vmx::existing_fields(s.l1_capabilities);
}

}  // namespace archelon::hv
