// Events: injection of every kind into L2, exceptions that exit, delivery that is cut short.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/ept.hpp"
#include "vmx/events.hpp"

using namespace guest;
using namespace guest::vmx;
using enum guest::vmx::Field;

extern "C" {
void l2_call();
void l2_faults_ud();
void l2_faults_bp();
void l2_faults_pf_read();
void l2_faults_pf_write();
void l2_faults_gp();
void l2_faults_de();
void l2_int();
void l2_step();
void l2_triple();
}
asm(R"(
  .text
l2_call:
  nop
  vmcall
  jmp l2_call
l2_faults_ud:
  ud2
  vmcall
l2_faults_bp:
  int3
  vmcall
l2_faults_pf_read:
  mov $0x5000, %eax
  shl $32, %rax
  mov (%rax), %rbx
  vmcall
l2_faults_pf_write:
  mov $0x5000, %eax
  shl $32, %rax
  mov %rbx, (%rax)
  vmcall
l2_faults_gp:
  mov $0xffff, %eax
  mov %eax, %ds
  vmcall
l2_faults_de:
  xor %ecx, %ecx
  div %ecx
  vmcall
l2_int:
  int $0x52
  vmcall
l2_step:
  pushf
  orl $0x100, (%rsp)
  popf
  nop
  vmcall
l2_triple:
  push $0
  push $0
  lidt (%rsp)
  ud2
)");

namespace {

constexpr std::uint64_t kStackWindow = 0xc0000000;

constinit Vcpu vcpu{};
constinit EptTree tree{};
alignas(4096) constinit std::array<std::uint8_t, 4096> stack_page{};

void injections() {
  line("# injection");
  start(vcpu, l2_call, kIf | 2);
  inject(0x50);
  resume(vcpu, "interrupt 0x50");
  start(vcpu, l2_call);
  inject(event::kException | 6);
  resume(vcpu, "#UD");
  start(vcpu, l2_call);
  inject(event::kException | event::kErrorCode | 13, 0x1234);
  resume(vcpu, "#GP");
  start(vcpu, l2_call);
  inject(event::kException | event::kErrorCode | 14, 6);
  resume(vcpu, "#PF");
  start(vcpu, l2_call);
  inject(event::kException | 0);
  resume(vcpu, "#DE");
  start(vcpu, l2_call);
  inject(event::kNmi | 2);
  resume(vcpu, "NMI");
  start(vcpu, l2_call);
  inject(event::kSoftwareInterrupt | 0x51, 0, 1);
  resume(vcpu, "software interrupt 0x51, length 1");
  start(vcpu, l2_call);
  inject(event::kSoftwareException | 3, 0, 1);
  resume(vcpu, "software exception #BP, length 1");
  start(vcpu, l2_call);
  inject(event::kPrivileged | 1, 0, 1);
  resume(vcpu, "privileged software exception #DB, length 1");
  start(vcpu, l2_call);
  resume(vcpu, "nothing");
}

// Each fault twice: delivered by L2's own IDT, and by way of L1.
void faults() {
  line("# exceptions");
  struct Case {
    const char* name;
    void (*code)();
    std::uint32_t vector;
    std::uint64_t length;
  };
  const Case cases[] = {{"#UD", l2_faults_ud, 6, 2},
                        {"#GP", l2_faults_gp, 13, 2},
                        {"#DE", l2_faults_de, 0, 2},
                        {"#PF read", l2_faults_pf_read, 14, 3},
                        {"#PF write", l2_faults_pf_write, 14, 3}};
  for (const Case& c : cases) {
    start(vcpu, c.code, 2, c.length);
    resume(vcpu, c.name);
    start(vcpu, c.code, 2, c.length);
    write(kExceptionBitmap, 1U << c.vector);
    const Exit exit = resume(vcpu, "  with an exit");
    if (exit.reason != reason::kException) continue;
    inject(static_cast<std::uint32_t>(read(kExitInterruption)) & 0xfff,
           static_cast<std::uint32_t>(read(kExitErrorCode)));
    resume(vcpu, "  injected again");
  }
  start(vcpu, l2_faults_bp);
  resume(vcpu, "#BP");
  start(vcpu, l2_faults_bp);
  write(kExceptionBitmap, 1U << 3);
  resume(vcpu, "  with an exit");
  inject(event::kSoftwareException | 3, 0,
         static_cast<std::uint32_t>(read(kExitInstructionLength)));
  resume(vcpu, "  injected again");

  // Page faults by error code: only writes exit, then only reads.
  write(kPageFaultMask, 2);
  for (const std::uint64_t match : {2ULL, 0ULL}) {
    write(kPageFaultMatch, match);
    for (auto* code : {l2_faults_pf_read, l2_faults_pf_write}) {
      start(vcpu, code, 2, 3);
      write(kExceptionBitmap, 1U << 14);
      resume(vcpu,
             code == l2_faults_pf_read ? "page fault by mask, read" : "page fault by mask, write");
    }
  }
  write(kPageFaultMask, 0);
  write(kPageFaultMatch, 0);

  start(vcpu, l2_step);
  resume(vcpu, "single step");
  start(vcpu, l2_step);
  write(kExceptionBitmap, 2);
  resume(vcpu, "single step with an exit");
  start(vcpu, l2_triple);
  resume(vcpu, "triple fault");
  const std::uint64_t limit = 0xfff;
  write(kGuestIdtrLimit, limit);
  write(kGuestIdtrBase, read(kHostIdtrBase));
}

void set_present(std::uint8_t vector, bool present) {
  struct [[gnu::packed]] {
    std::uint16_t limit;
    std::uint64_t base;
  } idtr;
  asm volatile("sidt %0" : "=m"(idtr));
  auto* gate = reinterpret_cast<volatile std::uint64_t*>(idtr.base + std::uint64_t{vector} * 16);
  constexpr std::uint64_t kPresent = 1ULL << 47;
  *gate = present ? *gate | kPresent : *gate & ~kPresent;
}

void vectoring() {
  line("# delivery cut short");
  set_present(0x52, false);
  start(vcpu, l2_call, kIf | 2);
  write(kExceptionBitmap, 1U << 11);
  inject(0x52);
  resume(vcpu, "interrupt, no gate");
  set_present(0x52, true);
  inject_vectoring();
  resume(vcpu, "  injected again");

  set_present(0x52, false);
  start(vcpu, l2_int);
  write(kExceptionBitmap, 1U << 11);
  resume(vcpu, "INT n, no gate");
  set_present(0x52, true);
  inject_vectoring();
  resume(vcpu, "  injected again");

  set_present(6, false);
  start(vcpu, l2_faults_ud, 2, 2);
  write(kExceptionBitmap, 1U << 11);
  resume(vcpu, "#UD, no gate");
  set_present(6, true);
  inject_vectoring();
  resume(vcpu, "  injected again");

  if (!offers_proc2(proc2::kEpt)) {
    line("EPT: not offered");
    return;
  }
  tree.map_identity(0, 16ULL << 20);
  write(kProcControls, read(kProcControls) | proc::kSecondary);
  write(kProcControls2, proc2::kEpt);
  write(kEptPointer, tree.pointer());
  start(vcpu, l2_call, kIf | 2);
  write(kGuestRsp, kStackWindow + 0x1000);
  inject(0x53);
  resume(vcpu, "interrupt, no stack");
  line("  gpa ", hex(read(kGuestPhysicalAddress)));
  tree.map(kStackWindow, address_of(&stack_page), 0);
  inject_vectoring();
  resume(vcpu, "  injected again");
  tree.unmap(kStackWindow, 0);
  must("invept", invept(ept::kInveptSingle, {tree.pointer(), 0}));
  start(vcpu, l2_faults_gp, 2, 2);
  write(kGuestRsp, kStackWindow + 0x1000);
  resume(vcpu, "#GP, no stack");
  tree.map(kStackWindow, address_of(&stack_page), 0);
  inject_vectoring();
  resume(vcpu, "  injected again");
}

}  // namespace

GUEST_MAIN {
  start_events(vcpu);
  injections();
  faults();
  vectoring();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
  return 0;
}
