#include "hv/panic.hpp"

#include <atomic>
#include <cstdint>

#include "hv/arch/exception.hpp"
#include "hv/backtrace.hpp"
#include "hv/console.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/paging.hpp"
#include "hv/hw/smp.hpp"

namespace archelon::hv {
namespace {

constexpr std::uint32_t kNobody = ~std::uint32_t{0};
constinit std::atomic<std::uint32_t> g_panicking{kNobody};

template <class... Args>
void print(std::string_view pattern, const Args&... args) {
  std::array<char, kLogLineSize> line;
  console_panic_line(format(line, pattern, args...));
}

[[noreturn]] void halt() {
  for (;;) {
    hw::cli();
    hw::hlt();
  }
}

[[noreturn]] void finish(std::string_view reason) {
  print("panic: {}", reason);
  halt();
}

// The first CPU to come here reports; later ones stop. One that comes here again fell over its own
// report, and ends with the line that tools look for.
// Answers how many other CPUs it has stopped.
std::uint32_t begin(std::string_view reason) {
  hw::cli();
  const std::uint32_t self = hw::this_cpu().index;
  std::uint32_t owner = kNobody;
  if (!g_panicking.compare_exchange_strong(owner, self)) {
    if (owner != self) {
      halt();
    }
    finish(reason);
  }
  return hw::stop_other_cpus();
}

// A push below a stack faults on its guard page, and the fault finds no stack either.
bool is_stack_overflow(const hw::TrapFrame& frame) {
  const std::uint64_t area = hw::kStackStride * hw::kMaxCpus;
  return static_cast<arch::Vector>(frame.vector) == arch::Vector::kDf &&
         hw::read_cr2() - hw::kStackArea < area && !hw::is_mapped(Hva(hw::read_cr2()), 1);
}

void print_frame(std::uint64_t rip) {
  std::array<char, 160> text;
  print("  {}", describe_code(text, rip));
}

void print_registers(const hw::TrapFrame& f) {
  print("rax {:016x} rbx {:016x} rcx {:016x} rdx {:016x}", f.rax, f.rbx, f.rcx, f.rdx);
  print("rsi {:016x} rdi {:016x} rbp {:016x} rsp {:016x}", f.rsi, f.rdi, f.rbp, f.rsp);
  print("r8  {:016x} r9  {:016x} r10 {:016x} r11 {:016x}", f.r8, f.r9, f.r10, f.r11);
  print("r12 {:016x} r13 {:016x} r14 {:016x} r15 {:016x}", f.r12, f.r13, f.r14, f.r15);
  print("rip {:016x} rflags {:08x} cs {:04x} ss {:04x}", f.rip, f.rflags, f.cs, f.ss);
  print("cr0 {:08x} cr2 {:016x} cr3 {:016x} cr4 {:08x}", hw::read_cr0(), hw::read_cr2(),
        hw::read_cr3(), hw::read_cr4());
}

}  // namespace

void panic_line(std::string_view reason) {
  const std::uint32_t others = begin(reason);
  print("CPU {} (APIC ID {}) stopped, with {} others; backtrace:", hw::this_cpu().index,
        hw::this_cpu().apic_id, others);
  walk_stack(reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)), print_frame);
  finish(reason);
}

void panic_exception(const hw::TrapFrame& frame) {
  std::array<char, 80> where;
  std::array<char, 160> text;
  const std::string_view reason = format(
      text, "{} with error code {:#x} in L0 on CPU {} at {}{}",
      arch::name(static_cast<arch::Vector>(frame.vector)), frame.error_code, hw::this_cpu().index,
      describe_code(where, frame.rip), is_stack_overflow(frame) ? ": the stack is full" : "");
  const std::uint32_t others = begin(reason);
  print("CPU {} (APIC ID {}) stopped, with {} others; registers and backtrace:",
        hw::this_cpu().index, hw::this_cpu().apic_id, others);
  print_registers(frame);
  print_frame(frame.rip);
  walk_stack(frame.rbp, print_frame);
  finish(reason);
}

}  // namespace archelon::hv
