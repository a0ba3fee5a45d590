#include "runtime/trap.hpp"

#include "runtime/cpu.hpp"

extern "C" {
std::uint64_t fault_recovery = 0;
extern const std::uint64_t trap_stubs[256];
void trap_dispatch(guest::TrapFrame* frame);
}

namespace guest {
namespace {

struct Gate {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
static_assert(sizeof(Gate) == 16);

struct [[gnu::packed]] DescriptorTable {
  std::uint16_t limit;
  std::uint64_t base;
};

alignas(16) constinit std::array<Gate, 256> idt{};
constinit std::array<TrapHandler, 256> handlers{};
constinit std::array<std::uint64_t, 256> seen{};
constinit Fault last_fault{};
constinit std::uint64_t cpl0_stack = 0;

constexpr std::array<const char*, 22> kNames = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",  "#TS",
    "#NP", "#SS", "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

constexpr bool has_error_code(std::uint64_t vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

}  // namespace

void set_raw_gate(std::uint8_t vector, std::uint64_t rip) {
  idt[vector].low = (rip & 0xffff) | (std::uint64_t{selector::kCode} << 16) |
                    (std::uint64_t{0xee00} << 32) | ((rip & 0xffff0000) << 32);
  idt[vector].high = rip >> 32;
}

void load_idt() {
  const DescriptorTable table{sizeof idt - 1, address_of(&idt)};
  asm volatile("lidt %0" : : "m"(table));
}

void install_idt() {
  for (unsigned v = 0; v < 256; ++v) set_raw_gate(static_cast<std::uint8_t>(v), trap_stubs[v]);
  load_idt();
}

void set_handler(std::uint8_t vector, TrapHandler handler) {
  handlers[vector] = handler;
}

std::uint64_t interrupts_seen(std::uint8_t vector) {
  return seen[vector];
}

void expect_fault() {
  last_fault = Fault{};
}
Fault take_fault() {
  return last_fault;
}

void put(const Fault& fault) {
  if (!fault.happened) {
    put("no fault");
    return;
  }
  if (fault.vector < kNames.size()) {
    put(kNames[fault.vector]);
  } else {
    put("#");
    put_decimal(fault.vector);
  }
  if (has_error_code(fault.vector)) {
    put("(");
    put(hex(fault.error));
    put(")");
  }
}

Fault run_at_cpl3(void (*code)()) {
  alignas(16) static std::uint8_t stack[4096];
  expect_fault();
  asm volatile(
      "push %%rbx\n\tpush %%rbp\n\tpush %%r12\n\tpush %%r13\n\tpush %%r14\n\tpush %%r15\n\t"
      "mov %%rsp, %[saved]\n\t"
      "lea 77f(%%rip), %%rax\n\tmov %%rax, fault_recovery(%%rip)\n\t"
      "push %[ss]\n\tpush %[rsp]\n\tpush $2\n\tpush %[cs]\n\tpush %[rip]\n\tiretq\n"
      "77:\n\tmovq $0, fault_recovery(%%rip)\n\t"
      "pop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\tpop %%rbp\n\tpop %%rbx"
      : [saved] "=m"(cpl0_stack)
      : [ss] "i"(selector::kUserData), [cs] "i"(selector::kUserCode),
        [rsp] "r"(stack + sizeof stack), [rip] "r"(code)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc", "memory");
  return take_fault();
}

}  // namespace guest

void trap_dispatch(guest::TrapFrame* frame) {
  using namespace guest;
  if (frame->vector < 32 && frame->vector != 2 && fault_recovery != 0) {
    last_fault = Fault{.happened = true,
                       .vector = static_cast<std::uint8_t>(frame->vector),
                       .error = frame->error,
                       .address = frame->vector == 14 ? read_cr2() : 0};
    frame->rip = fault_recovery;
    fault_recovery = 0;
    if ((frame->cs & 3) == 3) {
      frame->cs = selector::kCode;
      frame->ss = selector::kData;
      frame->rsp = cpl0_stack;
    }
    return;
  }
  if (handlers[frame->vector] != nullptr) {
    handlers[frame->vector](*frame);
    return;
  }
  if (frame->vector >= 32) {
    ++seen[frame->vector];
    return;
  }
  const Fault fault{.happened = true,
                    .vector = static_cast<std::uint8_t>(frame->vector),
                    .error = frame->error,
                    .address = 0};
  fail("unexpected ", fault, " rip ", hex(frame->rip), " rsp ", hex(frame->rsp), " cr2 ",
       hex(read_cr2()));
}
