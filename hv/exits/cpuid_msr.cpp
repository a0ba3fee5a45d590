#include "hv/arch/cpuid_policy.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/machine_access.hpp"
#include "hv/machine_features.hpp"
#include "hv/msr_access.hpp"
#include "hv/vm.hpp"

namespace archelon::hv::exits {

using namespace vmx;
using arch::Gpr;

void cpuid(Vcpu& vcpu, const Exit& exit) {
  const MachineFeatures& features = machine_features();
  const arch::CpuidState state{.apic_id = vcpu.index,
                               .cr4 = guest_cr4(vcpu),
                               .xcr0 = features.xsave ? hw::xgetbv(0) : 0,
                               .xss = 0,
                               .apic_enabled = true,
                               .in_64bit_mode = in_64bit_mode(vcpu)};
  const arch::CpuidResult r = vcpu.vm.cpuid.read(truncate<std::uint32_t>(vcpu.gprs[Gpr::kRax]),
                                                 truncate<std::uint32_t>(vcpu.gprs[Gpr::kRcx]),
                                                 state);
  vcpu.gprs[Gpr::kRax] = r.eax;
  vcpu.gprs[Gpr::kRbx] = r.ebx;
  vcpu.gprs[Gpr::kRcx] = r.ecx;
  vcpu.gprs[Gpr::kRdx] = r.edx;
  skip_instruction(vcpu, exit);
}

void rdmsr(Vcpu& vcpu, const Exit& exit) {
  const auto value = read_guest_msr(vcpu, truncate<std::uint32_t>(vcpu.gprs[Gpr::kRcx]));
  if (!value) {
    inject_gp(vcpu);
    return;
  }
  vcpu.gprs[Gpr::kRax] = *value & 0xffff'ffff;
  vcpu.gprs[Gpr::kRdx] = *value >> 32;
  skip_instruction(vcpu, exit);
}

void wrmsr(Vcpu& vcpu, const Exit& exit) {
  const std::uint64_t value = (vcpu.gprs[Gpr::kRdx] << 32) |
                              truncate<std::uint32_t>(vcpu.gprs[Gpr::kRax]);
  if (!write_guest_msr(vcpu, truncate<std::uint32_t>(vcpu.gprs[Gpr::kRcx]), value)) {
    inject_gp(vcpu);
    return;
  }
  skip_instruction(vcpu, exit);
}

}  // namespace archelon::hv::exits
