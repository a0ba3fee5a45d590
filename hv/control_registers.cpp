#include "hv/control_registers.hpp"

#include "hv/guest_state.hpp"
#include "hv/nested/engine.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;
using namespace arch;

// `value` goes to the register, as L0 lets the hardware have it, and to the shadow; but the bits
// `kept`, which an L2's L1 masks, stay as they are in both.
void set_owned_cr(Vcpu& vcpu, FieldNatural reg, FieldNatural shadow, std::uint64_t value,
                  std::uint64_t hardware, std::uint64_t kept) {
  native::Vmcs& vmcs = vcpu.vmcs();
  if (kept != 0) {
    value = (value & ~kept) | (vmcs.read(shadow) & kept);
    hardware = (hardware & ~kept) | (vmcs.read(reg) & kept);
  }
  vmcs.write(reg, hardware);
  vmcs.write(shadow, value);
}

// What the running guest's own instructions read, with the hardware's value of the bits `kept`:
// what its CPU goes by.
[[nodiscard]] std::uint64_t in_force(Vcpu& vcpu, FieldNatural reg, std::uint64_t seen,
                                     std::uint64_t kept) {
  return kept == 0 ? seen : (seen & ~kept) | (vcpu.vmcs().read(reg) & kept);
}

[[nodiscard]] bool pae_paging(std::uint64_t cr0_value, std::uint64_t cr4_value,
                              std::uint64_t efer_value) {
  return (cr0_value & cr0::kPg) != 0 && (cr4_value & cr4::kPae) != 0 &&
         (efer_value & efer::kLme) == 0;
}

}  // namespace

bool load_guest_pdptes(Vcpu& vcpu, std::uint64_t cr3) {
  std::array<std::uint64_t, 4> pdptes{};
  const std::uint64_t table = cr3 & 0xffff'ffe0;
  if (!nested::read_guest_physical(vcpu, table, std::as_writable_bytes(std::span(pdptes)))) {
    return false;
  }
  const std::uint64_t reserved =
      bit_mask(63, system().physical_bits) | bit_mask(8, 5) | bit_mask(2, 1);
  for (const std::uint64_t pdpte : pdptes) {
    if ((pdpte & 1) != 0 && (pdpte & reserved) != 0) {
      return false;
    }
  }
  for (std::uint32_t i = 0; i < 4; ++i) {
    vcpu.vmcs().write(fields::kGuestPdpte0.at(i), pdptes[i]);
  }
  return true;
}

std::uint64_t offered_cr4() {
  return system().offered_cr4;
}

void set_guest_cr0(Vcpu& vcpu, std::uint64_t value) {
  set_owned_cr(vcpu, fields::kGuestCr0, fields::kCr0ReadShadow, value,
               (value & ~(cr0::kNw | cr0::kCd)) | cr0::kNe | cr0::kEt,
               nested::cr0_masked_by_l1(vcpu));
}

void set_guest_cr4(Vcpu& vcpu, std::uint64_t value) {
  set_owned_cr(vcpu, fields::kGuestCr4, fields::kCr4ReadShadow, value, value | cr4::kVmxe,
               nested::cr4_masked_by_l1(vcpu));
}

void set_guest_efer(Vcpu& vcpu, std::uint64_t value) {
  native::Vmcs& vmcs = vcpu.vmcs();
  vmcs.write(fields::kGuestEfer, value);
  const std::uint32_t controls = vmcs.read(fields::kEntryControls);
  const std::uint32_t wanted = (value & efer::kLma) != 0
                                   ? controls | entry_controls::kIa32eModeGuest
                                   : controls & ~entry_controls::kIa32eModeGuest;
  if (wanted != controls) {
    vmcs.write(fields::kEntryControls, wanted);
  }
}

void update_vmx_operation(Vcpu& vcpu, bool in_vmx_operation) {
  // The shadow must hold the bits that become masked before they are.
  const std::uint64_t value = guest_cr0(vcpu);
  vcpu.vmcs().write(fields::kCr0GuestHostMask,
                    kL0OwnedCr0 | (in_vmx_operation ? cr0::kPe | cr0::kPg : 0));
  set_guest_cr0(vcpu, value);
}

bool write_guest_cr0(Vcpu& vcpu, std::uint64_t value) {
  const std::uint64_t kept = nested::cr0_masked_by_l1(vcpu);
  const std::uint64_t old = in_force(vcpu, fields::kGuestCr0, guest_cr0(vcpu), kept);
  const std::uint64_t cr4_value =
      in_force(vcpu, fields::kGuestCr4, guest_cr4(vcpu), nested::cr4_masked_by_l1(vcpu));
  value = (value & ~kept) | (old & kept);
  const bool long_mode_64 = in_64bit_mode(vcpu);
  std::uint64_t efer_value = guest_efer(vcpu);
  value |= cr0::kEt;
  if ((value >> 32) != 0 || ((value & cr0::kPg) != 0 && (value & cr0::kPe) == 0) ||
      ((value & cr0::kNw) != 0 && (value & cr0::kCd) == 0) || !nested::allows_cr0(vcpu, value)) {
    return false;
  }
  value &= cr0::kDefined;
  const bool paging_on = (value & ~old & cr0::kPg) != 0;
  const bool paging_off = (old & ~value & cr0::kPg) != 0;
  if (paging_on && (efer_value & efer::kLme) != 0) {
    const std::uint32_t cs = vcpu.vmcs().read(fields::kGuestCsAccessRights);
    if ((cr4_value & cr4::kPae) == 0 || (cs & ar::kLong) != 0) {
      return false;
    }
    efer_value |= efer::kLma;
  }
  if (paging_off) {
    if (long_mode_64 || (cr4_value & cr4::kPcide) != 0) {
      return false;
    }
    efer_value &= ~efer::kLma;
  }
  constexpr std::uint64_t kPdpteLoad = cr0::kPg | cr0::kCd | cr0::kNw;
  if (pae_paging(value, cr4_value, efer_value) && ((value ^ old) & kPdpteLoad) != 0 &&
      !load_guest_pdptes(vcpu, vcpu.vmcs().read(fields::kGuestCr3))) {
    return false;
  }
  set_guest_cr0(vcpu, value);
  set_guest_efer(vcpu, efer_value);
  if (((value ^ old) & (cr0::kPg | cr0::kWp)) != 0) {
    flush_guest_translations(vcpu);
  }
  return true;
}

bool write_guest_cr4(Vcpu& vcpu, std::uint64_t value) {
  const std::uint64_t kept = nested::cr4_masked_by_l1(vcpu);
  const std::uint64_t old = in_force(vcpu, fields::kGuestCr4, guest_cr4(vcpu), kept);
  const std::uint64_t cr0_value =
      in_force(vcpu, fields::kGuestCr0, guest_cr0(vcpu), nested::cr0_masked_by_l1(vcpu));
  value = (value & ~kept) | (old & kept);
  const std::uint64_t efer_value = guest_efer(vcpu);
  const std::uint64_t cr3_value = vcpu.vmcs().read(fields::kGuestCr3);
  const bool long_mode = (efer_value & efer::kLma) != 0;
  if ((value & ~offered_cr4()) != 0 || !nested::allows_cr4(vcpu, value) ||
      (long_mode && (value & cr4::kPae) == 0) || (long_mode && ((value ^ old) & cr4::kLa57) != 0)) {
    return false;
  }
  if ((value & ~old & cr4::kPcide) != 0 && (!long_mode || (cr3_value & cr3::kPcid) != 0)) {
    return false;
  }
  constexpr std::uint64_t kPdpteLoad = cr4::kPse | cr4::kPae | cr4::kPge | cr4::kSmep;
  if (pae_paging(cr0_value, value, efer_value) && ((value ^ old) & kPdpteLoad) != 0 &&
      !load_guest_pdptes(vcpu, cr3_value)) {
    return false;
  }
  set_guest_cr4(vcpu, value);
  constexpr std::uint64_t kFlush = cr4::kPse | cr4::kPae | cr4::kPge | cr4::kPcide | cr4::kSmep |
                                   cr4::kSmap | cr4::kPke | cr4::kLa57;
  if (((value ^ old) & kFlush) != 0) {
    flush_guest_translations(vcpu);
  }
  return true;
}

bool write_guest_cr3(Vcpu& vcpu, std::uint64_t value) {
  // Of both, bits that VMX and L0 hold do not count here.
  const std::uint64_t cr0_value = vcpu.vmcs().read(fields::kGuestCr0);
  const std::uint64_t cr4_value = vcpu.vmcs().read(fields::kGuestCr4);
  const bool keep = (cr4_value & cr4::kPcide) != 0 && (value & cr3::kNoFlush) != 0;
  value &= ~(keep ? cr3::kNoFlush : 0);
  const unsigned physical_bits = system().physical_bits;
  if ((value >> physical_bits) != 0 ||
      (pae_paging(cr0_value, cr4_value, guest_efer(vcpu)) && !load_guest_pdptes(vcpu, value))) {
    return false;
  }
  vcpu.vmcs().write(fields::kGuestCr3, value);
  if (!keep) {
    flush_guest_translations(vcpu);
  }
  return true;
}

}  // namespace archelon::hv
