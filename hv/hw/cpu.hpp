#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "hv/base/address.hpp"
#include "hv/hw/descriptors.hpp"

namespace archelon::hw {

inline constexpr std::uint32_t kMaxCpus = 64;

// What one CPU owns; its GS base points here from its first C++ instruction on. After a VM exit the
// VMCS host state restores GS, TR, GDTR and IDTR: gs_base(), tss_base(), gdt_base(), sidt().
struct alignas(64) PerCpu {
  PerCpu* self = nullptr;  // this_cpu() reads it at GS:0
  std::uint32_t index = 0;
  std::uint32_t apic_id = 0;
  Hva stack_top;  // of the CPU's own stack, once it has one
  std::atomic<bool> online{false};
  std::atomic<std::uint64_t> nmi_count{0};
  // For the layers above: the vCPU that runs here and the CPU's VMX state; this layer never looks.
  void* vcpu = nullptr;
  void* vmx = nullptr;

  alignas(16) Gdt gdt;
  TaskState tss;

  [[nodiscard]] std::uint64_t gs_base() const { return reinterpret_cast<std::uint64_t>(this); }
  [[nodiscard]] std::uint64_t tss_base() const { return reinterpret_cast<std::uint64_t>(&tss); }
  [[nodiscard]] std::uint64_t gdt_base() const { return reinterpret_cast<std::uint64_t>(&gdt); }
};

[[nodiscard]] inline PerCpu& this_cpu() {
  PerCpu* cpu = nullptr;
  asm volatile("movq %%gs:0, %0" : "=r"(cpu));
  return *cpu;
}

// CPUs that are up; their indices are 0 .. cpu_count() - 1, the boot CPU's is 0.
[[nodiscard]] std::uint32_t cpu_count();
[[nodiscard]] PerCpu& cpu(std::uint32_t index);

// Makes the executing CPU `index`: GS base, GDT, TSS and the interrupt table. Exceptions are
// reported from here on. The boot CPU calls it first of all, an application processor on its entry.
void init_this_cpu(std::uint32_t index);

// Counts CPU `index`, the next one, as up.
void add_cpu(std::uint32_t index);

}  // namespace archelon::hw
