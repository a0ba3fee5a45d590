// Windows, the preemption timer, interrupts of L1's own APIC and timer while L2 runs, the TPR
// shadow.
#include "runtime/apic.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/events.hpp"

using namespace guest;
using namespace guest::vmx;
using enum guest::vmx::Field;

extern "C" {
void l2_call();
void l2_sti();
void l2_spin();
void l2_hlt();
void l2_cr8();
}
asm(R"(
  .text
l2_call:
  nop
  vmcall
  jmp l2_call
l2_sti:
  nop
  sti
  nop
  nop
  vmcall
l2_spin:
  jmp l2_spin
l2_hlt:
  hlt
  vmcall
l2_cr8:
  mov $9, %eax
  mov %rax, %cr8
  mov $3, %eax
  mov %rax, %cr8
  mov $7, %eax
  vmcall
)");

namespace {

// Long enough that L2 is running by then also where each of L1's steps takes L0's.
constexpr std::uint32_t kSoon = 2000000;

constexpr std::uint64_t kStackWindow = 0xc0000000;

constinit Vcpu vcpu{};
constinit EptTree tree{};
alignas(4096) constinit std::array<std::uint8_t, 4096> virtual_apic{};
alignas(4096) constinit std::array<std::uint8_t, 4096> stack_page{};

void windows() {
  line("# windows");
  write(kProcControls, read(kProcControls) | proc::kInterruptWindow);
  start(vcpu, l2_call, kIf | 2);
  resume(vcpu, "interrupt window, open");
  start(vcpu, l2_sti);
  resume(vcpu, "interrupt window, opens by STI");
  write(kProcControls, read(kProcControls) & ~std::uint64_t{proc::kInterruptWindow});
  inject(0x54);
  resume(vcpu, "  injected");
}

void timers() {
  line("# timers");
  if (offers(msr::kVmxTruePinbased, pin::kPreemptionTimer)) {
    write(kPinControls, read(kPinControls) | pin::kPreemptionTimer);
    write(kPreemptionTimer, 0);
    start(vcpu, l2_call);
    resume(vcpu, "preemption timer 0");
    write(kPreemptionTimer, 0);
    start(vcpu, l2_call, kIf | 2);
    inject(0x55);
    resume(vcpu, "preemption timer 0 and an injection");
    write(kPreemptionTimer, 5000);
    start(vcpu, l2_spin);
    resume(vcpu, "preemption timer 5000");
    write(kPreemptionTimer, 0xffffffff);
    start(vcpu, l2_call);
    resume(vcpu, "preemption timer far away");
    write(kPinControls, read(kPinControls) & ~std::uint64_t{pin::kPreemptionTimer});
  } else {
    line("preemption timer: not offered");
  }

  apic::enable(apic::has_x2apic());
  start(vcpu, l2_spin, kIf | 2);
  apic::send_to_self(0x70);
  asm volatile("sti; nop; cli");
  line("L1 took its interrupt");

  write(kPinControls, read(kPinControls) | pin::kExternalInterrupt);
  apic::send_to_self(0x71);
  start(vcpu, l2_spin, kIf | 2);
  resume(vcpu, "interrupt pending, not acknowledged");
  asm volatile("sti; nop; cli");
  line("L1 has it now");
  write(kExitControls, read(kExitControls) | exit_control::kAcknowledge);
  apic::send_to_self(0x72);
  start(vcpu, l2_spin, kIf | 2);
  resume(vcpu, "interrupt pending, acknowledged");
  asm volatile("sti; nop; cli");
  apic::end_of_interrupt();
  line("L1 has no more");

  apic::write(apic::kTimerDivide, 0xb);
  apic::write(apic::kTimer, 0x73);
  start(vcpu, l2_spin, kIf | 2);
  apic::write(apic::kTimerInitial, kSoon);
  resume(vcpu, "LAPIC timer");
  apic::end_of_interrupt();
  start(vcpu, l2_hlt, kIf | 2);
  apic::write(apic::kTimerInitial, kSoon);
  resume(vcpu, "LAPIC timer, L2 halted");
  apic::end_of_interrupt();
  write(kExitControls, read(kExitControls) & ~std::uint64_t{exit_control::kAcknowledge});

  // Without external-interrupt exiting L1's interrupts are L2's.
  write(kPinControls, read(kPinControls) & ~std::uint64_t{pin::kExternalInterrupt});
  apic::send_to_self(0x74);
  start(vcpu, l2_call, kIf | 2);
  resume(vcpu, "interrupt into L2 without an exit");
  apic::write(apic::kTimer, 0x75);
  start(vcpu, l2_hlt, kIf | 2);
  apic::write(apic::kTimerInitial, kSoon);
  resume(vcpu, "LAPIC timer wakes L2 without an exit");
}

// An injection goes first, also where its delivery is the first use of L2's stack page, of which
// nobody but EPT12 knows yet; only then comes what ends L2's run.
void injection_first() {
  line("# an injection goes first");
  if (!offers_proc2(proc2::kEpt) || !offers(msr::kVmxTruePinbased, pin::kPreemptionTimer)) {
    line("not offered");
    return;
  }
  tree.map_identity(0, 16ULL << 20);
  write(kProcControls, read(kProcControls) | proc::kSecondary);
  write(kProcControls2, proc2::kEpt);
  write(kEptPointer, tree.pointer());
  tree.map(kStackWindow, address_of(&stack_page), 0);
  write(kPinControls, read(kPinControls) | pin::kPreemptionTimer);
  write(kPreemptionTimer, 0);
  start(vcpu, l2_call, kIf | 2);
  write(kGuestRsp, kStackWindow + 0x1000);
  inject(0x56);
  resume(vcpu, "before the preemption timer");
  write(kPinControls, read(kPinControls) & ~std::uint64_t{pin::kPreemptionTimer});

  tree.map(kStackWindow + 0x1000, address_of(&stack_page), 0);
  write(kPinControls, read(kPinControls) | pin::kExternalInterrupt);
  write(kExitControls, read(kExitControls) | exit_control::kAcknowledge);
  apic::send_to_self(0x76);
  start(vcpu, l2_call, kIf | 2);
  write(kGuestRsp, kStackWindow + 0x2000);
  inject(0x57);
  resume(vcpu, "before an interrupt");
  apic::end_of_interrupt();
  write(kPinControls, read(kPinControls) & ~std::uint64_t{pin::kExternalInterrupt});
  write(kExitControls, read(kExitControls) & ~std::uint64_t{exit_control::kAcknowledge});
  write(kProcControls, read(kProcControls) & ~std::uint64_t{proc::kSecondary});
}

void tpr() {
  line("# TPR");
  if (!offers(msr::kVmxProcbased, proc::kTprShadow)) {
    line("not offered");
    return;
  }
  write(kProcControls, (read(kProcControls) | proc::kTprShadow) &
                           ~std::uint64_t{proc::kCr8Load | proc::kCr8Store});
  write(kVirtualApicPage, address_of(&virtual_apic));
  write(kTprThreshold, 0);
  start(vcpu, l2_cr8);
  resume(vcpu, "threshold 0");
  line("  virtual TPR ", hex(volatile_read<std::uint32_t>(address_of(&virtual_apic) + 0x80)));
  volatile_write<std::uint32_t>(address_of(&virtual_apic) + 0x80, 0xf0);
  write(kTprThreshold, 5);
  start(vcpu, l2_cr8);
  resume(vcpu, "threshold 5");
  line("  virtual TPR ", hex(volatile_read<std::uint32_t>(address_of(&virtual_apic) + 0x80)));
}

}  // namespace

GUEST_MAIN {
  start_events(vcpu);
  windows();
  timers();
  injection_first();
  tpr();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
  return 0;
}
