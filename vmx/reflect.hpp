#pragma once

#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/arch/segment.hpp"
#include "vmx/controls.hpp"
#include "vmx/exit_reason.hpp"
#include "vmx/interruption.hpp"
#include "vmx/vmcs12.hpp"
#include "vmx/vmcs_view.hpp"

// An exit of L2 to L1 as hardware would do it: the exit information in VMCS12, then L1's host state
// in VMCS01. SDM vol. 3C, "VM Exits".
namespace archelon::vmx {

// What L1 reads about an exit. Fields that the reason leaves undefined are zero.
struct ExitInformation {
  ExitReason reason{};
  std::uint64_t qualification = 0;
  std::uint64_t guest_linear_address = 0;
  std::uint64_t guest_physical_address = 0;
  InterruptionInfo interruption{};
  std::uint32_t interruption_error = 0;
  InterruptionInfo idt_vectoring{};
  std::uint32_t idt_vectoring_error = 0;
  std::uint32_t instruction_length = 0;
  std::uint32_t instruction_info = 0;
};

// Records the exit in VMCS12. A failed entry changes the reason and the qualification alone.
inline void write_exit_information(Vmcs12& vmcs12, const ExitInformation& exit) {
  const auto put = [&vmcs12](auto field, std::uint64_t value) {
    vmcs12.fetched(position_of(field), value);  // read-only data never goes to VMCS02
  };
  put(fields::kExitReason, exit.reason.word);
  put(fields::kExitQualification, exit.qualification);
  if (exit.reason.entry_failed()) {
    return;
  }
  put(fields::kGuestLinearAddress, exit.guest_linear_address);
  put(fields::kGuestPhysicalAddress, exit.guest_physical_address);
  put(fields::kExitInterruptionInfo, exit.interruption.word);
  put(fields::kExitInterruptionErrorCode, exit.interruption_error);
  put(fields::kIdtVectoringInfo, exit.idt_vectoring.word);
  put(fields::kIdtVectoringErrorCode, exit.idt_vectoring_error);
  put(fields::kExitInstructionLength, exit.instruction_length);
  put(fields::kExitInstructionInfo, exit.instruction_info);
  // The injection that VMCS12 asked for is over. SDM vol. 3C, "VM-Entry Control Fields".
  const std::uint32_t injected = vmcs12.read(fields::kEntryInterruptionInfo);
  if ((injected & InterruptionInfo::kValid) != 0) {
    vmcs12.write(fields::kEntryInterruptionInfo, injected & ~InterruptionInfo::kValid);
  }
}

// The control registers and EFER that the exit gives to L1; the caller puts them in, since L0 owns
// some of their bits.
struct HostControlState {
  std::uint64_t cr0 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
};

// `cr0`, `efer`: as they were when the exit happened. SDM vol. 3C, "Loading Host Control Registers,
// Debug Registers, MSRs".
template <VmcsView V>
[[nodiscard]] HostControlState host_control_state(V& vmcs12, std::uint64_t cr0,
                                                  std::uint64_t efer) {
  const std::uint32_t controls = vmcs12.read(fields::kExitControls);
  const bool host_64 = (controls & exit_controls::kHostAddressSpaceSize) != 0;
  constexpr std::uint64_t kKept = arch::cr0::kEt | arch::cr0::kNw | arch::cr0::kCd;
  HostControlState host;
  host.cr0 = (vmcs12.read(fields::kHostCr0) & ~kKept & arch::cr0::kDefined) | (cr0 & kKept);
  host.cr3 = vmcs12.read(fields::kHostCr3);
  host.cr4 = vmcs12.read(fields::kHostCr4);
  if (host_64) {
    host.cr4 |= arch::cr4::kPae;
  } else {
    host.cr4 &= ~arch::cr4::kPcide;
  }
  if ((controls & exit_controls::kLoadEfer) != 0) {
    host.efer = vmcs12.read(fields::kHostEfer);
  } else {
    constexpr std::uint64_t kMode = arch::efer::kLma | arch::efer::kLme;
    host.efer = host_64 ? efer | kMode : efer & ~kMode;
  }
  return host;
}

// Everything else of L1's host state, into VMCS01. SDM vol. 3C, "Loading Host Segment and
// Descriptor-Table Registers", "Loading Host RIP, RSP, RFLAGS, and SSP".
template <VmcsView V12, VmcsView V01>
void load_host_state(V12& vmcs12, V01& vmcs01) {
  using arch::Segment;
  const std::uint32_t controls = vmcs12.read(fields::kExitControls);
  const bool host_64 = (controls & exit_controls::kHostAddressSpaceSize) != 0;
  vmcs01.write(fields::kGuestRip, vmcs12.read(fields::kHostRip));
  vmcs01.write(fields::kGuestRsp, vmcs12.read(fields::kHostRsp));
  vmcs01.write(fields::kGuestRflags, arch::rflags::kFixed1);
  vmcs01.write(fields::kGuestDr7, arch::dr7::kReset);
  vmcs01.write(fields::kGuestDebugCtl, 0);
  vmcs01.write(fields::kGuestInterruptibilityState, 0);
  vmcs01.write(fields::kGuestPendingDebugExceptions, 0);
  vmcs01.write(fields::kGuestSysenterCs, vmcs12.read(fields::kHostSysenterCs));
  vmcs01.write(fields::kGuestSysenterEsp, vmcs12.read(fields::kHostSysenterEsp));
  vmcs01.write(fields::kGuestSysenterEip, vmcs12.read(fields::kHostSysenterEip));
  if ((controls & exit_controls::kLoadPat) != 0) {
    vmcs01.write(fields::kGuestPat, vmcs12.read(fields::kHostPat));
  }
  constexpr std::uint32_t kFlatLimit = 0xffff'ffff;
  write_guest_segment(
      vmcs01, Segment::kCs,
      {.selector = vmcs12.read(fields::kHostCsSelector),
       .access_rights = host_64 ? arch::ar::kFlatCode64 : arch::ar::kFlatCode32,
       .limit = kFlatLimit,
       .base = 0});
  const auto data = [&](Segment segment, Field16 field, std::uint64_t base) {
    const std::uint16_t selector = vmcs12.read(field);
    // A null selector gives an unusable register, but its base and limit are loaded all the same.
    write_guest_segment(vmcs01, segment,
                        {.selector = selector,
                         .access_rights = selector == 0 ? arch::ar::kUnusable | arch::ar::kFlatData
                                                        : arch::ar::kFlatData,
                         .limit = kFlatLimit,
                         .base = base});
  };
  data(Segment::kSs, fields::kHostSsSelector, 0);
  data(Segment::kDs, fields::kHostDsSelector, 0);
  data(Segment::kEs, fields::kHostEsSelector, 0);
  data(Segment::kFs, fields::kHostFsSelector, vmcs12.read(fields::kHostFsBase));
  data(Segment::kGs, fields::kHostGsSelector, vmcs12.read(fields::kHostGsBase));
  write_guest_segment(vmcs01, Segment::kTr,
                      {.selector = vmcs12.read(fields::kHostTrSelector),
                       .access_rights = arch::ar::kPresent | arch::ar::kTypeBusyTss,
                       .limit = 0x67,
                       .base = vmcs12.read(fields::kHostTrBase)});
  write_guest_segment(
      vmcs01, Segment::kLdtr,
      {.selector = 0, .access_rights = arch::ar::kUnusable, .limit = 0, .base = 0});
  vmcs01.write(fields::kGuestGdtrBase, vmcs12.read(fields::kHostGdtrBase));
  vmcs01.write(fields::kGuestGdtrLimit, 0xffff);
  vmcs01.write(fields::kGuestIdtrBase, vmcs12.read(fields::kHostIdtrBase));
  vmcs01.write(fields::kGuestIdtrLimit, 0xffff);
}

}  // namespace archelon::vmx
