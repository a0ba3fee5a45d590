#include "hv/guest_state.hpp"

#include "hv/arch/msr.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/nested/engine.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {

using namespace vmx;

std::uint64_t guest_cr0(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs();
  const std::uint64_t mask = vmcs.read(fields::kCr0GuestHostMask);
  return (vmcs.read(fields::kGuestCr0) & ~mask) | (vmcs.read(fields::kCr0ReadShadow) & mask);
}

std::uint64_t guest_cr4(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs();
  const std::uint64_t mask = vmcs.read(fields::kCr4GuestHostMask);
  return (vmcs.read(fields::kGuestCr4) & ~mask) | (vmcs.read(fields::kCr4ReadShadow) & mask);
}

std::uint64_t guest_efer(Vcpu& vcpu) {
  return vcpu.vmcs().read(fields::kGuestEfer);
}

unsigned guest_cpl(Vcpu& vcpu) {
  return arch::ar::dpl(vcpu.vmcs().read(fields::kGuestSsAccessRights));
}

bool in_64bit_mode(Vcpu& vcpu) {
  return (guest_efer(vcpu) & arch::efer::kLma) != 0 &&
         (vcpu.vmcs().read(fields::kGuestCsAccessRights) & arch::ar::kLong) != 0;
}

void skip_instruction(Vcpu& vcpu, const Exit& exit) {
  native::Vmcs& vmcs = vcpu.vmcs();
  std::uint64_t rip = vmcs.read(fields::kGuestRip) + exit.instruction_length;
  if ((vmcs.read(fields::kGuestCsAccessRights) & arch::ar::kLong) == 0) {
    rip &= 0xffff'ffff;
  }
  vmcs.write(fields::kGuestRip, rip);
  const std::uint32_t blocking = vmcs.read(fields::kGuestInterruptibilityState);
  constexpr std::uint32_t kOneInstruction =
      interruptibility::kBlockingBySti | interruptibility::kBlockingByMovSs;
  if ((blocking & kOneInstruction) != 0) {
    vmcs.write(fields::kGuestInterruptibilityState, blocking & ~kOneInstruction);
  }
  // With BTF only a taken branch would be a step.
  if ((vmcs.read(fields::kGuestRflags) & arch::rflags::kTf) != 0 &&
      (vmcs.read(fields::kGuestDebugCtl) & arch::msr::kDebugCtlBtf) == 0) [[unlikely]] {
    vmcs.write(fields::kGuestPendingDebugExceptions,
               vmcs.read(fields::kGuestPendingDebugExceptions) | pending_debug::kBs);
  }
}

void inject_exception(Vcpu& vcpu, const arch::Exception& exception) {
  if (nested::reflect_exception(vcpu, exception)) {
    return;
  }
  arch::Exception event = exception;
  if (vcpu.event.valid() && vcpu.event.info.type() == EventType::kHardwareException) {
    const auto first = static_cast<arch::Vector>(vcpu.event.info.vector());
    switch (arch::combine_exceptions(first, exception.vector)) {
      case arch::SecondFault::kSerial:
        break;  // the first one's instruction will raise it again
      case arch::SecondFault::kDoubleFault:
        event = {.vector = arch::Vector::kDf, .error_code = 0};
        break;
      case arch::SecondFault::kShutdown:
        if (!nested::reflect_triple_fault(vcpu)) {
          stop_vm(vcpu.vm, "triple fault: an exception during the delivery of a double fault");
        }
        return;
    }
  }
  if (event.vector == arch::Vector::kPf) {
    hw::write_cr2(event.cr2);
  }
  // Real mode has no error codes (SDM vol. 3C, "VM-Entry Controls for Event Injection").
  // The CPU goes by its own CR0, not by what an L2 reads of it.
  const bool protected_mode = (vcpu.vmcs().read(fields::kGuestCr0) & arch::cr0::kPe) != 0;
  vcpu.event = {.info = InterruptionInfo::make(EventType::kHardwareException,
                                               static_cast<std::uint8_t>(event.vector),
                                               event.error_code.has_value() && protected_mode),
                .error_code = event.error_code.value_or(0)};
}

}  // namespace archelon::hv
