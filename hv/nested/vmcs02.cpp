#include "hv/control_registers.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"
#include "hv/vmx_machine.hpp"
#include "vmx/bitmaps.hpp"

// VMCS02 from VMCS12: constants once, controls when VMCS12's changed, guest state field by field
// where L1 wrote it. design.md, section 3, "Lazy state".
namespace archelon::hv::nested {
namespace {

using namespace vmx;

constexpr GroupMask kControlGroups = masks_of(FieldGroup::kControls, FieldGroup::kCrMasks,
                                              FieldGroup::kBitmaps, FieldGroup::kEptVpid);

[[nodiscard]] ControlRegister cr0_rule() {
  return {.owned = kL0OwnedCr0, .fixed = arch::cr0::kNe};
}
[[nodiscard]] ControlRegister cr4_rule() {
  // What L1 may not set is 0; VMXE is in VMCS12's CR4 already, as VMX operation demands.
  return {.owned = ~offered_cr4(), .fixed = 0};
}

[[nodiscard]] bool make_ready(Vcpu& vcpu, Vmcs02& vmcs02) {
  const System& s = system();
  native::Vmcs& vmcs = vmcs02.vmcs;
  if (!vmcs.attached()) {
    const std::optional<Hpa> region = allocate_zeroed_frame();
    const std::optional<Hpa> bitmap = allocate_zeroed_frame();
    if (!region || !bitmap) {
      return false;
    }
    vmcs02.msr_bitmap = *bitmap;
    reinterpret_cast<BitmapPage*>(s.memory.pointer(*bitmap))->fill(~std::uint64_t{0});
    vmcs.attach(*region, s.capabilities.revision());
  }
  vcpu.use_vmcs(vmcs);
  write_host_state(vmcs);
  vmcs.write(fields::kMsrBitmaps, vmcs02.msr_bitmap.value());
  vmcs.write(fields::kVmcsLinkPointer, ~std::uint64_t{0});
  vmcs.write(fields::kCr3TargetCount, 0);
  vmcs.write(fields::kExitMsrStoreCount, 0);
  vmcs.write(fields::kExitMsrLoadCount, 0);
  vmcs.write(fields::kEntryMsrLoadCount, 0);
  vmcs.write(fields::kGuestActivityState, 0);
  if ((s.l0_secondary & secondary::kEnableVpid) != 0) {
    vmcs.write(fields::kVpid, vpid02(vcpu));
  }
  vmcs02.eptp_set = 0;
  vmcs02.timer = ~std::uint32_t{0};
  vmcs02.ready = true;
  return true;
}

// The machine page behind a page of L1 that the hardware is to use for L2.
[[nodiscard]] std::uint64_t page_of_l1(Vcpu& vcpu, std::uint64_t address) {
  const std::optional<Hpa> page = vcpu.vm.memory.translate(Gpa1(address));
  return (page ? *page : vcpu.nested->scratch).value();
}

void write_controls(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02) {
  native::Vmcs& vmcs = vmcs02.vmcs;
  const MergedControls merged = merge_controls(vmcs12, l0_policy(vcpu.tsc_offset));
  vmcs02.merged = merged;
  vmcs02.tsc_offset01 = vcpu.tsc_offset;
  vmcs.write(fields::kPinControls, merged.pin);
  vmcs.write(fields::kPrimaryProcControls, merged.primary);
  vmcs.write(fields::kSecondaryProcControls, merged.secondary);
  vmcs.write(fields::kExitControls, merged.exit);
  vmcs.write(fields::kExceptionBitmap, merged.exception_bitmap);
  vmcs.write(fields::kPageFaultErrorCodeMask, merged.page_fault_mask);
  vmcs.write(fields::kPageFaultErrorCodeMatch, merged.page_fault_match);
  vmcs.write(fields::kCr0GuestHostMask, merged.cr0_mask);
  vmcs.write(fields::kCr4GuestHostMask, merged.cr4_mask);
  vmcs.write(fields::kTscOffset, merged.tsc_offset);
  if ((merged.primary & primary::kTprShadow) != 0) {
    vmcs.write(fields::kVirtualApicAddress,
               page_of_l1(vcpu, vmcs12.read(fields::kVirtualApicAddress)));
    vmcs.write(fields::kTprThreshold, vmcs12.read(fields::kTprThreshold));
  }
  if ((merged.secondary & secondary::kPauseLoopExiting) != 0) {
    vmcs.write(fields::kPleGap, vmcs12.read(fields::kPleGap));
    vmcs.write(fields::kPleWindow, vmcs12.read(fields::kPleWindow));
  }
  if ((merged.secondary & secondary::kEnableXsaves) != 0) {
    vmcs.write(fields::kXssExitingBitmap, vmcs12.read(fields::kXssExitingBitmap));
  }
}

// L1 may change its bitmap at any time without telling, so that it is looked at for each entry; but
// only where L0's own has an MSR that does not exit.
void merge_msr_bitmap(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02) {
  const System& s = system();
  const bool used = (vmcs12.read(fields::kPrimaryProcControls) & primary::kMsrBitmaps) != 0;
  const std::byte* page =
      used ? vcpu.vm.memory.pointer(Gpa1(vmcs12.read(fields::kMsrBitmaps)), kPageSize) : nullptr;
  const auto& l0 = *reinterpret_cast<const BitmapPage*>(s.memory.pointer(s.l0_msr_bitmap));
  auto& merged = *reinterpret_cast<BitmapPage*>(s.memory.pointer(vmcs02.msr_bitmap));
  for (const std::uint16_t word : s.l0_msr_bitmap_open) {
    const std::uint64_t l1 =
        page == nullptr ? ~std::uint64_t{0}
                        : __atomic_load_n(reinterpret_cast<const std::uint64_t*>(page) + word,
                                          __ATOMIC_RELAXED);
    merged[word] = l0[word] | l1;
  }
}

void write_guest_state(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02, const L1Registers& l1) {
  native::Vmcs& vmcs = vmcs02.vmcs;
  (vmcs12.dirty() & kCopied).for_each([&](std::size_t position) {
    vmcs.write_encoding(kFieldNames[position].encoding, vmcs12.read_at(position));
  });
  if (vmcs12.is_dirty(masks_of(FieldGroup::kGuestCrs, FieldGroup::kCrMasks))) {
    const auto home = [&](auto field) {
      if (vmcs12.is_in_vmcs02(position_of(field))) {
        fetch_current(vcpu, vmcs12, vmcs02, position_of(field));
      }
      return vmcs12.read(field);
    };
    const std::uint64_t cr0 = home(fields::kGuestCr0);
    const std::uint64_t cr4 = home(fields::kGuestCr4);
    vmcs.write(fields::kGuestCr0, cr0_rule().hardware(cr0));
    vmcs.write(fields::kGuestCr4, cr4_rule().hardware(cr4));
    vmcs.write(fields::kCr0ReadShadow,
               cr0_rule().shadow(cr0, vmcs12.read(fields::kCr0GuestHostMask),
                                 vmcs12.read(fields::kCr0ReadShadow)));
    vmcs.write(fields::kCr4ReadShadow,
               cr4_rule().shadow(cr4, vmcs12.read(fields::kCr4GuestHostMask),
                                 vmcs12.read(fields::kCr4ReadShadow)));
  }
  const std::uint32_t entry12 = vmcs12.read(fields::kEntryControls);
  const bool long_mode = (entry12 & entry_controls::kIa32eModeGuest) != 0;
  vmcs.write(fields::kEntryControls, (vmcs02.merged.entry & ~entry_controls::kIa32eModeGuest) |
                                         (entry12 & entry_controls::kIa32eModeGuest));
  if (!vmcs12.is_in_vmcs02(position_of(fields::kGuestDr7))) {
    const bool load = (entry12 & entry_controls::kLoadDebugControls) != 0;
    vmcs.write(fields::kGuestDr7, load ? vmcs12.read(fields::kGuestDr7) : l1.dr7);
  }
  if (!vmcs12.is_in_vmcs02(position_of(fields::kGuestDebugCtl))) {
    const bool load = (entry12 & entry_controls::kLoadDebugControls) != 0;
    vmcs.write(fields::kGuestDebugCtl, load ? vmcs12.read(fields::kGuestDebugCtl) : l1.debugctl);
  }
  if ((entry12 & entry_controls::kLoadEfer) == 0) {
    constexpr std::uint64_t kMode = arch::efer::kLma | arch::efer::kLme;
    const bool paging = (vmcs.read(fields::kGuestCr0) & arch::cr0::kPg) != 0;
    // Without paging LME is left as it is. SDM vol. 3C, "Loading Guest Control Registers...".
    const std::uint64_t kept = l1.efer & ~(paging ? kMode : arch::efer::kLma);
    vmcs.write(fields::kGuestEfer, long_mode ? kept | kMode : kept);
  } else if (!vmcs12.is_in_vmcs02(position_of(fields::kGuestEfer))) {
    vmcs.write(fields::kGuestEfer, vmcs12.read(fields::kGuestEfer));
  }
  if ((entry12 & entry_controls::kLoadPat) == 0) {
    vmcs.write(fields::kGuestPat, l1.pat);
  } else if (!vmcs12.is_in_vmcs02(position_of(fields::kGuestPat))) {
    vmcs.write(fields::kGuestPat, vmcs12.read(fields::kGuestPat));
  }
}

// Without EPT12 the CPU would have loaded the PDPTEs from L2's CR3, which is L1's memory.
void load_pdptes_without_ept(Vcpu& vcpu, native::Vmcs& vmcs) {
  const bool pae = (vmcs.read(fields::kGuestCr0) & arch::cr0::kPg) != 0 &&
                   (vmcs.read(fields::kGuestCr4) & arch::cr4::kPae) != 0 &&
                   (vmcs.read(fields::kGuestEfer) & arch::efer::kLma) == 0;
  if (!pae) {
    return;
  }
  const Gpa1 table(vmcs.read(fields::kGuestCr3) & 0xffff'ffe0);
  for (std::uint32_t i = 0; i < 4; ++i) {
    vmcs.write(fields::kGuestPdpte0.at(i),
               read_value<std::uint64_t>(vcpu.vm.memory, table + i * 8).value_or(0));
  }
}

void write_events(Engine& engine, Vmcs12& vmcs12, native::Vmcs& vmcs) {
  const InterruptionInfo info{vmcs12.read(fields::kEntryInterruptionInfo)};
  engine.injecting = info.valid();
  write_entry_event(vmcs, {.info = info.valid() ? info : InterruptionInfo{},
                           .error_code = vmcs12.read(fields::kEntryExceptionErrorCode),
                           .instruction_length = vmcs12.read(fields::kEntryInstructionLength)});
}

void flush_for_vpid(Vcpu& vcpu, Vmcs12& vmcs12) {
  Engine& engine = *vcpu.nested;
  const bool used = (secondary_controls(vmcs12) & secondary::kEnableVpid) != 0;
  const std::uint16_t vpid12 = used ? vmcs12.read(fields::kVpid) : 0;
  // Without VPID the entry itself flushes; with another one than last time vpid02 is used anew.
  if (!used || vpid12 != engine.last_vpid12) {
    flush_vpid(vpid02(vcpu));
    engine.last_vpid12 = vpid12;
  }
}

}  // namespace

bool update_vmcs02(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02, const L1Registers& l1) {
  if (!vmcs02.ready) {
    if (!make_ready(vcpu, vmcs02)) {
      return false;
    }
    vmcs12.dirty_all();
  }
  native::Vmcs& vmcs = vmcs02.vmcs;
  vcpu.use_vmcs(vmcs);
  const std::optional<std::uint64_t> eptp = acquire_ept(vcpu, vmcs12, vmcs02);
  if (!eptp) {
    return false;
  }
  if (vmcs12.is_dirty(kControlGroups) || vmcs02.tsc_offset01 != vcpu.tsc_offset) {
    write_controls(vcpu, vmcs12, vmcs02);
  }
  if (*eptp != vmcs02.eptp_set) {
    vmcs.write(fields::kEptPointer, *eptp);
    vmcs02.eptp_set = *eptp;
  }
  merge_msr_bitmap(vcpu, vmcs12, vmcs02);
  write_guest_state(vcpu, vmcs12, vmcs02, l1);
  if ((secondary_controls(vmcs12) & secondary::kEnableEpt) == 0) {
    load_pdptes_without_ept(vcpu, vmcs);
  }
  write_events(*vcpu.nested, vmcs12, vmcs);
  flush_for_vpid(vcpu, vmcs12);
  vmcs12.clean();
  return true;
}

std::uint64_t value_in_vmcs02(const Vmcs12& vmcs12, const Vmcs02& vmcs02, std::size_t position) {
  const native::Vmcs& vmcs = vmcs02.vmcs;
  const std::uint32_t encoding = kFieldNames[position].encoding;
  const std::uint64_t value = vmcs.read_encoding(encoding);
  if (encoding == fields::kGuestCr0.encoding) {
    return cr0_rule().register12(value, vmcs.read(fields::kCr0ReadShadow),
                                 vmcs12.read(fields::kCr0GuestHostMask),
                                 vmcs12.last_known(position));
  }
  if (encoding == fields::kGuestCr4.encoding) {
    return cr4_rule().register12(value, vmcs.read(fields::kCr4ReadShadow),
                                 vmcs12.read(fields::kCr4GuestHostMask),
                                 vmcs12.last_known(position));
  }
  return value;
}

void fetch_current(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02, std::size_t position) {
  vcpu.use_vmcs(vmcs02.vmcs);
  vmcs12.fetched(position, value_in_vmcs02(vmcs12, vmcs02, position));
}

void fetch_for_l1(Vcpu& vcpu, Vmcs12& vmcs12, std::size_t position) {
  Vmcs02& vmcs02 = vcpu.nested->vmcs02_of(vmcs12);
  vmcs02.wanted.add(position);
  fetch_current(vcpu, vmcs12, vmcs02, position);
  vcpu.use_vmcs(vcpu.vmcs01);
}

void release_vmcs02(Vcpu& vcpu, Vmcs12& vmcs12) {
  Vmcs02& vmcs02 = vcpu.nested->vmcs02_of(vmcs12);
  const FieldSet there = vmcs12.in_vmcs02();
  there.for_each([&](std::size_t position) { fetch_current(vcpu, vmcs12, vmcs02, position); });
  release_ept(vcpu, vmcs02);
  if (vmcs02.vmcs.attached()) {
    vmcs02.vmcs.clear();  // the next VMCS12 of this slot starts with a VMLAUNCH
    vmcs02.ready = false;
  }
  vmcs02.wanted.clear();
  vcpu.use_vmcs(vcpu.vmcs01);
}

}  // namespace archelon::hv::nested
