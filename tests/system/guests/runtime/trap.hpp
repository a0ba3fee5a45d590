// Exceptions and interrupts: expected faults are caught and returned, others end the guest.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/console.hpp"

// Read and written by GUEST_TRY's assembly: where the next fault continues, or 0.
extern "C" std::uint64_t fault_recovery;

namespace guest {

struct TrapFrame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  std::uint64_t vector, error;
  std::uint64_t rip, cs, rflags, rsp, ss;
};

// The fault of a tried instruction, if there was one.
struct Fault {
  bool happened = false;
  std::uint8_t vector = 0;
  std::uint64_t error = 0;
  std::uint64_t address = 0;  // CR2 of a page fault
};

using TrapHandler = void (*)(TrapFrame&);

void install_idt();
void load_idt();  // on a further CPU
void set_handler(std::uint8_t vector, TrapHandler handler);
// Points the gate of a vector at code of the caller's own.
void set_raw_gate(std::uint8_t vector, std::uint64_t rip);
// The number of times that a vector without handler of its own above 31 was delivered.
std::uint64_t interrupts_seen(std::uint8_t vector);

// What GUEST_TRY's last instruction met.
void expect_fault();
Fault take_fault();

void put(const Fault& fault);

// Runs code at CPL 3 until its first fault.
Fault run_at_cpl3(void (*code)());

}  // namespace guest

// Assembly text that runs one instruction and goes on behind it if it faults. Clobbers RAX, which
// must be named in the clobbers; call expect_fault() before and take_fault() behind it. Keeps
// flags.
#define GUEST_TRY(instruction)                                                \
  "lea 77f(%%rip), %%rax\n\tmov %%rax, fault_recovery(%%rip)\n\t" instruction \
  "\n77:\n\tmovq $0, fault_recovery(%%rip)\n\t"
