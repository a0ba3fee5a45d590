#include "hv/control_registers.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest_state.hpp"
#include "hv/machine_access.hpp"
#include "hv/vm.hpp"
#include "vmx/qualification.hpp"

namespace archelon::hv::exits {
namespace {

using namespace vmx;

std::uint64_t read_gpr(Vcpu& vcpu, arch::Gpr gpr) {
  return gpr == arch::Gpr::kRsp ? vcpu.vmcs().read(fields::kGuestRsp) : vcpu.gprs[gpr];
}

void write_gpr(Vcpu& vcpu, arch::Gpr gpr, std::uint64_t value) {
  if (gpr == arch::Gpr::kRsp) {
    vcpu.vmcs().write(fields::kGuestRsp, value);
  } else {
    vcpu.gprs[gpr] = value;
  }
}

// MOV to CR8 and from it: the task priority of L1's local APIC.
void cr8(Vcpu& vcpu, const Exit& exit, const CrAccess& access) {
  if (access.kind == CrAccess::Kind::kMovToCr) {
    const std::uint64_t value = read_gpr(vcpu, access.gpr);
    if (value > 0xf) {
      inject_gp(vcpu);
      return;
    }
    MachineAccess machine(vcpu.vm);
    machine.machine().set_cr8(vcpu.index, static_cast<std::uint8_t>(value));
    vcpu.request(work::kInterrupts);
  } else {
    MachineAccess machine(vcpu.vm);
    write_gpr(vcpu, access.gpr, machine.machine().cr8(vcpu.index));
  }
  skip_instruction(vcpu, exit);
}

}  // namespace

void cr_access(Vcpu& vcpu, const Exit& exit) {
  const CrAccess access = CrAccess::decode(exit.qualification);
  if (access.cr == 8) {
    cr8(vcpu, exit, access);
    return;
  }
  bool ok = true;
  switch (access.kind) {
    case CrAccess::Kind::kMovToCr: {
      std::uint64_t value = read_gpr(vcpu, access.gpr);
      if (!in_64bit_mode(vcpu)) {
        value &= 0xffff'ffff;
      }
      ok = access.cr == 0   ? write_guest_cr0(vcpu, value)
           : access.cr == 4 ? write_guest_cr4(vcpu, value)
                            : write_guest_cr3(vcpu, value);
      break;
    }
    case CrAccess::Kind::kMovFromCr:
      write_gpr(vcpu, access.gpr, vcpu.vmcs().read(fields::kGuestCr3));
      break;
    case CrAccess::Kind::kClts:
      ok = write_guest_cr0(vcpu, guest_cr0(vcpu) & ~arch::cr0::kTs);
      break;
    case CrAccess::Kind::kLmsw: {
      // LMSW changes PE, MP, EM, TS and cannot clear PE.
      const std::uint64_t old = guest_cr0(vcpu);
      ok = write_guest_cr0(vcpu, (old & ~std::uint64_t{0xe}) | (access.lmsw_source & 0xfu));
      break;
    }
  }
  if (!ok) {
    inject_gp(vcpu);
    return;
  }
  skip_instruction(vcpu, exit);
}

}  // namespace archelon::hv::exits
