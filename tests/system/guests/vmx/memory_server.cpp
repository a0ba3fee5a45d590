#include "vmx/memory_server.hpp"

#include "runtime/cpu.hpp"

asm(R"(
  .text
  .globl memory_server
memory_server:
  vmcall
  cmp $1, %edx
  je 1f
  cmp $2, %edx
  je 2f
  cmp $3, %edx
  je 3f
  cmp $4, %edx
  je 4f
  cmp $5, %edx
  je 5f
  cmp $6, %edx
  je 6f
  jmp memory_server
1:
  mov (%rbx), %rax
  jmp memory_server
2:
  mov %rcx, (%rbx)
  jmp memory_server
3:
  call *%rbx
  jmp memory_server
4:
  lock addq %rcx, (%rbx)
  mov (%rbx), %rax
  jmp memory_server
5:
  mov (%rbx), %eax
  jmp memory_server
6:
  mov %ecx, (%rbx)
  jmp memory_server
)");

namespace guest::vmx {

Exit begin_access(Vcpu& vcpu, Access access, std::uint64_t gva, std::uint64_t value) {
  vcpu.regs.rax = 0;
  vcpu.regs.rbx = gva;
  vcpu.regs.rcx = value;
  vcpu.regs.rdx = static_cast<std::uint64_t>(access);
  skip_instruction();
  return run(vcpu);
}

Exit continue_access(Vcpu& vcpu) {
  return run(vcpu);
}

void report_access(const char* name, const Vcpu& vcpu, const Exit& exit) {
  put(name);
  put(": ");
  if (exit.reason == reason::kVmcall) {
    line("value ", hex(vcpu.regs.rax));
    return;
  }
  put_exit(exit);
  if (exit.reason == reason::kEptViolation || exit.reason == reason::kEptMisconfiguration) {
    put(" gpa ");
    put(hex(read(Field::kGuestPhysicalAddress)));
  }
  if (exit.reason == reason::kEptViolation && (exit.qualification & 0x180) == 0x180) {
    put(" gla ");
    put(hex(read(Field::kGuestLinearAddress)));
  }
  line();
}

void put_code(std::uint64_t address, std::uint32_t value) {
  volatile_write<std::uint8_t>(address, 0xb8);
  for (unsigned i = 0; i < 4; ++i) {
    volatile_write<std::uint8_t>(address + 1 + i, static_cast<std::uint8_t>(value >> (8 * i)));
  }
  volatile_write<std::uint8_t>(address + 5, 0xc3);
}

}  // namespace guest::vmx
