#include "hv/msr_access.hpp"

#include "hv/arch/msr.hpp"
#include "hv/arch/msr_policy.hpp"
#include "hv/control_registers.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/machine_access.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;
namespace msr = arch::msr;

// MSRs that stay in the CPU or in the current VMCS while the guest runs, for accesses that L0 makes
// in the guest's place.
[[nodiscard]] std::optional<FieldNatural> natural_field(std::uint32_t index) {
  switch (index) {
    case msr::kSysenterEsp:
      return fields::kGuestSysenterEsp;
    case msr::kSysenterEip:
      return fields::kGuestSysenterEip;
    case msr::kFsBase:
      return fields::kGuestFsBase;
    case msr::kGsBase:
      return fields::kGuestGsBase;
    default:
      return std::nullopt;
  }
}

[[nodiscard]] std::optional<std::uint64_t> read_passed(Vcpu& vcpu, std::uint32_t index) {
  if (const auto field = natural_field(index)) {
    return vcpu.vmcs().read(*field);
  }
  if (index == msr::kSysenterCs) {
    return vcpu.vmcs().read(fields::kGuestSysenterCs);
  }
  if (index == msr::kPat) {
    return vcpu.vmcs().read(fields::kGuestPat);
  }
  std::uint64_t value = 0;
  return hw::rdmsr_safe(index, value) ? std::optional(value) : std::nullopt;
}

[[nodiscard]] bool is_valid_pat(std::uint64_t value) {
  for (unsigned i = 0; i < 8; ++i) {
    const std::uint64_t type = (value >> (8 * i)) & 0xff;
    if (type > 7 || type == 2 || type == 3) {
      return false;
    }
  }
  return true;
}

[[nodiscard]] bool write_passed(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  if (const auto field = natural_field(index)) {
    if (!is_canonical(value)) {
      return false;
    }
    vcpu.vmcs().write(*field, value);
    return true;
  }
  if (index == msr::kSysenterCs) {
    vcpu.vmcs().write(fields::kGuestSysenterCs, truncate<std::uint32_t>(value));
    return true;
  }
  if (index == msr::kPat) {
    if (!is_valid_pat(value)) {
      return false;
    }
    vcpu.vmcs().write(fields::kGuestPat, value);
    return true;
  }
  return hw::wrmsr_safe(index, value);
}

// WRMSR of IA32_EFER. SDM vol. 3A, "Extended Feature Enable Register", "Initializing IA-32e Mode".
[[nodiscard]] bool write_efer(Vcpu& vcpu, std::uint64_t value) {
  using namespace arch;
  const std::uint64_t old = guest_efer(vcpu);
  const bool paging = (vcpu.vmcs().read(fields::kGuestCr0) & cr0::kPg) != 0;
  if ((value & ~efer::kDefined) != 0 || (paging && ((value ^ old) & efer::kLme) != 0)) {
    return false;
  }
  // LMA is the CPU's own; a WRMSR leaves it.
  set_guest_efer(vcpu, (value & ~efer::kLma) | (old & efer::kLma));
  return true;
}

[[nodiscard]] bool write_vmcs_msr(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  if (index == msr::kEfer) {
    return write_efer(vcpu, value);
  }
  if ((value & ~arch::kDebugCtlOffered) != 0) {
    return false;
  }
  vcpu.vmcs().write(fields::kGuestDebugCtl, value);
  return true;
}

[[nodiscard]] std::uint64_t guest_tsc(const Vcpu& vcpu) {
  return hw::rdtsc() + vcpu.tsc_offset;
}

[[nodiscard]] bool write_time_stamp(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  const std::uint64_t delta = index == msr::kTsc ? vcpu.msrs.write_tsc(value, guest_tsc(vcpu))
                                                 : vcpu.msrs.write_tsc_adjust(value);
  vcpu.tsc_offset += delta;
  native::Vmcs& running = vcpu.vmcs();
  running.write(fields::kTscOffset, running.read(fields::kTscOffset) + delta);
  if (&running != &vcpu.vmcs01) {
    vcpu.use_vmcs(vcpu.vmcs01);
    vcpu.vmcs01.write(fields::kTscOffset, vcpu.tsc_offset);
    vcpu.use_vmcs(running);
  }
  return true;
}

[[nodiscard]] std::optional<std::uint64_t> read_lapic(Vcpu& vcpu, std::uint32_t index) {
  MachineAccess access(vcpu.vm);
  if (index == msr::kApicBase) {
    return access.machine().apic_base(vcpu.index);
  }
  if (index == msr::kTscDeadline) {
    return access.machine().tsc_deadline(vcpu.index);
  }
  const auto value = access.machine().x2apic_read(vcpu.index, index, access.now());
  return value ? std::optional(*value) : std::nullopt;
}

[[nodiscard]] bool write_lapic(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  MachineAccess access(vcpu.vm);
  if (index == msr::kApicBase) {
    return access.machine().set_apic_base(vcpu.index, value).ok();
  }
  if (index == msr::kTscDeadline) {
    access.machine().set_tsc_deadline(vcpu.index, value, guest_tsc(vcpu), access.now());
    return true;
  }
  return access.machine().x2apic_write(vcpu.index, index, value, access.now()).ok();
}

}  // namespace

std::optional<std::uint64_t> read_guest_msr(Vcpu& vcpu, std::uint32_t index) {
  switch (arch::msr_owner(index, system().msr_config)) {
    case arch::MsrOwner::kAbsent:
      return std::nullopt;
    case arch::MsrOwner::kPassThrough:
      return read_passed(vcpu, index);
    case arch::MsrOwner::kVmcs:
      return index == msr::kEfer ? guest_efer(vcpu) : vcpu.vmcs().read(fields::kGuestDebugCtl);
    case arch::MsrOwner::kTimeStamp:
      return index == msr::kTsc ? guest_tsc(vcpu) : vcpu.msrs.tsc_adjust();
    case arch::MsrOwner::kLapic:
      return read_lapic(vcpu, index);
    case arch::MsrOwner::kVmxCapability:
      return system().l1_capabilities.read_msr(index);
    case arch::MsrOwner::kBank: {
      const auto value = vcpu.msrs.read(index);
      return value ? std::optional(*value) : std::nullopt;
    }
  }
  return std::nullopt;
}

bool write_guest_msr(Vcpu& vcpu, std::uint32_t index, std::uint64_t value) {
  switch (arch::msr_owner(index, system().msr_config)) {
    case arch::MsrOwner::kAbsent:
    case arch::MsrOwner::kVmxCapability:
      return false;
    case arch::MsrOwner::kPassThrough:
      return write_passed(vcpu, index, value);
    case arch::MsrOwner::kVmcs:
      return write_vmcs_msr(vcpu, index, value);
    case arch::MsrOwner::kTimeStamp:
      return write_time_stamp(vcpu, index, value);
    case arch::MsrOwner::kLapic:
      return write_lapic(vcpu, index, value);
    case arch::MsrOwner::kBank:
      return vcpu.msrs.write(index, value).ok();
  }
  return false;
}

std::uint64_t feature_control_of(Vcpu& vcpu) {
  return vcpu.msrs.read(msr::kFeatureControl).value_or(0);
}

}  // namespace archelon::hv
