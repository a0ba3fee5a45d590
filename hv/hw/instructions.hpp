#pragma once

#include <cstddef>
#include <cstdint>

#include "hv/base/address.hpp"

// Every privileged or machine-specific instruction but VMX, one function each (SDM volume 2).
namespace archelon::hw {

struct CpuidResult {
  std::uint32_t eax;
  std::uint32_t ebx;
  std::uint32_t ecx;
  std::uint32_t edx;
};

inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  CpuidResult r{};
  asm volatile("cpuid"
               : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
               : "a"(leaf), "c"(subleaf));
  return r;
}

inline std::uint64_t rdmsr(std::uint32_t index) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (std::uint64_t{high} << 32) | low;
}

inline void wrmsr(std::uint32_t index, std::uint64_t value) {
  asm volatile("wrmsr"
               :
               : "c"(index), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}

// As rdmsr and friends, but false where the CPU answers #GP (or #UD); then `value` is 0. They
// recover through the fixup table, so they work once load_interrupt_table() has run.
[[nodiscard]] bool rdmsr_safe(std::uint32_t index, std::uint64_t& value);
[[nodiscard]] bool wrmsr_safe(std::uint32_t index, std::uint64_t value);
[[nodiscard]] bool xsetbv_safe(std::uint32_t index, std::uint64_t value);

inline std::uint8_t in8(std::uint16_t port) {
  std::uint8_t value = 0;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline std::uint16_t in16(std::uint16_t port) {
  std::uint16_t value = 0;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline std::uint32_t in32(std::uint16_t port) {
  std::uint32_t value = 0;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline void out8(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
inline void out16(std::uint16_t port, std::uint16_t value) {
  asm volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
inline void out32(std::uint16_t port, std::uint32_t value) {
  asm volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

inline std::uint64_t read_cr0() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr0, %0" : "=r"(value));
  return value;
}
inline std::uint64_t read_cr2() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr2, %0" : "=r"(value));
  return value;
}
inline std::uint64_t read_cr3() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr3, %0" : "=r"(value));
  return value;
}
inline std::uint64_t read_cr4() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr4, %0" : "=r"(value));
  return value;
}
inline std::uint64_t read_cr8() {
  std::uint64_t value = 0;
  asm volatile("mov %%cr8, %0" : "=r"(value));
  return value;
}
inline void write_cr0(std::uint64_t value) {
  asm volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}
inline void write_cr2(std::uint64_t value) {
  asm volatile("mov %0, %%cr2" : : "r"(value) : "memory");
}
inline void write_cr3(std::uint64_t value) {
  asm volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}
inline void write_cr4(std::uint64_t value) {
  asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}
inline void write_cr8(std::uint64_t value) {
  asm volatile("mov %0, %%cr8" : : "r"(value) : "memory");
}

template <unsigned kIndex>
std::uint64_t read_dr() {
  static_assert(kIndex <= 3 || kIndex == 6 || kIndex == 7);
  std::uint64_t value = 0;
  asm volatile("mov %%db%c1, %0" : "=r"(value) : "i"(kIndex));
  return value;
}
template <unsigned kIndex>
void write_dr(std::uint64_t value) {
  static_assert(kIndex <= 3 || kIndex == 6 || kIndex == 7);
  asm volatile("mov %0, %%db%c1" : : "r"(value), "i"(kIndex));
}

inline std::uint64_t xgetbv(std::uint32_t index) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
  return (std::uint64_t{high} << 32) | low;
}
inline void xsetbv(std::uint32_t index, std::uint64_t value) {
  asm volatile("xsetbv"
               :
               : "c"(index), "a"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32)));
}
// `area` is 64-byte aligned and as large as CPUID 0Dh says for `components`.
inline void xsave(void* area, std::uint64_t components) {
  asm volatile("xsave64 (%0)"
               :
               : "r"(area), "a"(static_cast<std::uint32_t>(components)),
                 "d"(static_cast<std::uint32_t>(components >> 32))
               : "memory");
}
inline void xrstor(const void* area, std::uint64_t components) {
  asm volatile("xrstor64 (%0)"
               :
               : "r"(area), "a"(static_cast<std::uint32_t>(components)),
                 "d"(static_cast<std::uint32_t>(components >> 32))
               : "memory");
}
// The legacy area for a CPU without XSAVE: 512 bytes, 16-byte aligned.
inline void fxsave(void* area) {
  asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}
inline void fxrstor(const void* area) {
  asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

inline std::uint64_t rdtsc() {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (std::uint64_t{high} << 32) | low;
}

inline void pause() {
  asm volatile("pause" : : : "memory");
}
inline void hlt() {
  asm volatile("hlt" : : : "memory");
}
inline void cli() {
  asm volatile("cli" : : : "memory");
}
inline void sti() {
  asm volatile("sti" : : : "memory");
}
// Enables interrupts and halts with no window between the two, then disables them again.
inline void wait_for_interrupt() {
  asm volatile("sti\n\thlt\n\tcli" : : : "memory");
}
inline void invlpg(Hva address) {
  asm volatile("invlpg (%0)" : : "r"(address.value()) : "memory");
}
inline void wbinvd() {
  asm volatile("wbinvd" : : : "memory");
}

inline constexpr std::uint64_t kRflagsInterrupt = 1U << 9;

inline std::uint64_t read_rflags() {
  std::uint64_t value = 0;
  asm volatile("pushfq\n\tpopq %0" : "=r"(value));
  return value;
}
[[nodiscard]] inline bool interrupts_enabled() {
  return (read_rflags() & kRflagsInterrupt) != 0;
}

// The operand of LGDT, LIDT, SGDT and SIDT.
struct [[gnu::packed]] DescriptorTable {
  std::uint16_t limit = 0;
  std::uint64_t base = 0;
};
static_assert(sizeof(DescriptorTable) == 10 && offsetof(DescriptorTable, base) == 2);

inline void lgdt(const DescriptorTable& table) {
  asm volatile("lgdt %0" : : "m"(table));
}
inline void lidt(const DescriptorTable& table) {
  asm volatile("lidt %0" : : "m"(table));
}
inline DescriptorTable sgdt() {
  DescriptorTable table;
  asm volatile("sgdt %0" : "=m"(table));
  return table;
}
inline DescriptorTable sidt() {
  DescriptorTable table;
  asm volatile("sidt %0" : "=m"(table));
  return table;
}
// An exception that cannot be delivered, since there is no interrupt table: the CPU shuts down, on
// which the machine resets.
[[noreturn]] inline void triple_fault() {
  lidt({});
  asm volatile("ud2");
  __builtin_unreachable();
}
inline void lldt(std::uint16_t selector) {
  asm volatile("lldt %0" : : "r"(selector));
}
inline void ltr(std::uint16_t selector) {
  asm volatile("ltr %0" : : "r"(selector) : "memory");
}
inline std::uint16_t str() {
  std::uint16_t selector = 0;
  asm volatile("str %0" : "=r"(selector));
  return selector;
}

}  // namespace archelon::hw
