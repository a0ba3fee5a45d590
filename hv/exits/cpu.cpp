#include "hv/arch/cr.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest_state.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/vm.hpp"

// Instructions about the CPU itself: HLT, XSETBV, INVD, WBINVD, RDPMC, and exceptions.
namespace archelon::hv::exits {

using namespace vmx;

void hlt(Vcpu& vcpu, const Exit& exit) {
  skip_instruction(vcpu, exit);
  vcpu.activity = Activity::kHalted;
  vcpu.request(work::kInterrupts);  // one may be waiting already
}

void xsetbv(Vcpu& vcpu, const Exit& exit) {
  const auto index = truncate<std::uint32_t>(vcpu.gprs[arch::Gpr::kRcx]);
  const std::uint64_t value = (vcpu.gprs[arch::Gpr::kRdx] << 32) |
                              truncate<std::uint32_t>(vcpu.gprs[arch::Gpr::kRax]);
  // The CPU has checked CPL and CR4.OSXSAVE before the exit; what is left is the value.
  if (index != 0 || !arch::is_valid_xcr0(value, vcpu.vm.cpuid.xcr0()) ||
      !hw::xsetbv_safe(0, value)) {
    inject_gp(vcpu);
    return;
  }
  skip_instruction(vcpu, exit);
}

void invd(Vcpu& vcpu, const Exit& exit) {
  // INVD would lose what others wrote: write back instead, which a guest cannot tell from luck.
  hw::wbinvd();
  skip_instruction(vcpu, exit);
}

void rdpmc(Vcpu& vcpu, const Exit& exit) {
  static_cast<void>(exit);
  inject_gp(vcpu);  // CPUID leaf 0AH offers no counter
}

void exception_or_nmi(Vcpu& vcpu, const Exit& exit) {
  // L0 intercepts #DB and #AC so that a guest cannot keep the CPU in an endless delivery of them;
  // the guest gets what it would have got.
  if (exit.interruption.is_exception(arch::Vector::kDb)) {
    // The CPU left the conditions in the qualification, not in DR6.
    constexpr std::uint64_t kStatus = arch::dr6::kB0 | arch::dr6::kB1 | arch::dr6::kB2 |
                                      arch::dr6::kB3 | arch::dr6::kBd | arch::dr6::kBs;
    const std::uint64_t dr6 = hw::read_dr<6>();
    hw::write_dr<6>((dr6 & ~kStatus) | arch::dr6::kReset |
                              (exit.qualification & kStatus));
    vcpu.vmcs().write(fields::kGuestDr7,
                      vcpu.vmcs().read(fields::kGuestDr7) & ~arch::dr7::kGd);
  }
  if (exit.interruption.type() != EventType::kHardwareException) {
    vcpu.event = {.info = exit.interruption.for_entry(),
                  .error_code = exit.interruption_error,
                  .instruction_length = exit.instruction_length};
    return;
  }
  arch::Exception exception{.vector = static_cast<arch::Vector>(exit.interruption.vector())};
  if (exit.interruption.has_error_code()) {
    exception.error_code = exit.interruption_error;
  }
  exception.cr2 = exit.qualification;
  inject_exception(vcpu, exception);
}

void unexpected(Vcpu& vcpu, const Exit& exit) {
  native::Vmcs& vmcs = vcpu.vmcs();
  log_error("vm {} vcpu {}: exit {} ({}){}, qualification {:#x}, RIP {:#x}, CS {:#x}, CR0 {:#x}, "
            "CR3 {:#x}, CR4 {:#x}",
            vcpu.vm.name, vcpu.index, exit_reason_name(exit.basic()), exit.reason.word & 0xffff,
            exit.reason.entry_failed() ? " at VM entry" : "", exit.qualification,
            vmcs.read(fields::kGuestRip), vmcs.read(fields::kGuestCsSelector),
            vmcs.read(fields::kGuestCr0), vmcs.read(fields::kGuestCr3),
            vmcs.read(fields::kGuestCr4));
  stop_vm(vcpu.vm, exit.reason.entry_failed() ? "the CPU refused the guest's state at VM entry"
                                              : "an exit that L0 does not handle");
}

}  // namespace archelon::hv::exits
