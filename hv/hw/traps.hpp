#pragma once

#include <cstddef>
#include <cstdint>

namespace archelon::hw {

// What hv/hw/trap_entry.asm pushes, lowest address first, and what the CPU pushed before it (SDM
// vol. 3A, "64-Bit Mode Stack Frame").
struct TrapFrame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
  std::uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
  std::uint64_t vector;
  std::uint64_t error_code;  // 0 where the exception has none
  std::uint64_t rip;
  std::uint64_t cs;
  std::uint64_t rflags;
  std::uint64_t rsp;
  std::uint64_t ss;
};
static_assert(sizeof(TrapFrame) == 22 * 8 && offsetof(TrapFrame, vector) == 15 * 8);

// Builds the shared IDT on the first call, which the boot CPU makes alone; loads it on the
// executing CPU.
void load_interrupt_table();

// What an NMI does, for the IDT and for a VM exit caused by an NMI: it is counted, and where the
// machine is being stopped by a panic it does not return.
void handle_nmi();

// From now on every NMI stops its CPU for good.
void stop_on_nmi();
// CPUs that an NMI has stopped.
[[nodiscard]] std::uint32_t stopped_cpus();

}  // namespace archelon::hw
