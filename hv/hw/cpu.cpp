#include "hv/hw/cpu.hpp"

#include <array>

#include "hv/arch/msr.hpp"
#include "hv/base/assert.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/traps.hpp"

namespace archelon::hw {
namespace {

constinit std::array<PerCpu, kMaxCpus> g_cpus{};
constinit std::atomic<std::uint32_t> g_cpu_count{0};

// Where the boot CPU takes NMI, #DF and #MC until it has its own stacks.
constexpr std::size_t kEarlyStackSize = 8192;
alignas(16) constinit std::array<std::byte, kEarlyStackSize> g_early_stack{};

void load_segments(const Gdt& gdt) {
  lgdt({.limit = sizeof(Gdt) - 1, .base = reinterpret_cast<std::uint64_t>(&gdt)});
  asm volatile(
      "pushq %[code]\n\t"
      "leaq 1f(%%rip), %%rax\n\t"
      "pushq %%rax\n\t"
      "lretq\n\t"
      "1:\n\t"
      "movl %[data], %%ds\n\t"
      "movl %[data], %%es\n\t"
      "movl %[data], %%ss\n\t"
      :
      : [code] "i"(kCodeSelector), [data] "r"(std::uint32_t{kDataSelector})
      : "rax", "memory");
}

}  // namespace

std::uint32_t cpu_count() {
  return g_cpu_count.load(std::memory_order_acquire);
}

PerCpu& cpu(std::uint32_t index) {
  return g_cpus[index];
}

void init_this_cpu(std::uint32_t index) {
  PerCpu& cpu = g_cpus[index];
  cpu.self = &cpu;
  cpu.index = index;
  cpu.gdt = make_gdt(cpu.tss_base());
  if (cpu.tss.ist[0] == 0) {
    for (std::size_t i = 0; i < kIstCount; ++i) {
      cpu.tss.ist[i] = reinterpret_cast<std::uint64_t>(g_early_stack.data() + kEarlyStackSize);
    }
  }
  load_segments(cpu.gdt);
  asm volatile("movl %0, %%fs\n\tmovl %0, %%gs" : : "r"(0));
  wrmsr(arch::msr::kFsBase, 0);
  wrmsr(arch::msr::kGsBase, cpu.gs_base());
  ltr(kTssSelector);
  load_interrupt_table();
}

void add_cpu(std::uint32_t index) {
  ARCHELON_ASSERT(index == cpu_count());
  g_cpus[index].online.store(true, std::memory_order_release);
  g_cpu_count.store(index + 1, std::memory_order_release);
}

}  // namespace archelon::hw
