#include "hv/hw/traps.hpp"

#include <array>
#include <atomic>

#include "hv/arch/exception.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/descriptors.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/panic.hpp"

namespace archelon::hw {
namespace {

struct Fixup {
  std::uint64_t fault;
  std::uint64_t recovery;
};
static_assert(sizeof(Fixup) == 16);

extern "C" const std::uint64_t trap_entries[256];
extern "C" const Fixup fixups_start[];
extern "C" const Fixup fixups_end[];

alignas(16) constinit std::array<Gate, 256> g_idt{};
constinit std::atomic<bool> g_stop_on_nmi{false};
constinit std::atomic<std::uint32_t> g_stopped{0};

std::uint8_t ist_of(std::size_t vector) {
  switch (static_cast<arch::Vector>(vector)) {
    case arch::Vector::kNmi:
      return kIstNmi;
    case arch::Vector::kDf:
      return kIstDoubleFault;
    case arch::Vector::kMc:
      return kIstMachineCheck;
    default:
      return 0;
  }
}

bool recover(TrapFrame& frame) {
  for (const Fixup* fixup = fixups_start; fixup != fixups_end; ++fixup) {
    if (fixup->fault == frame.rip) {
      frame.rip = fixup->recovery;
      return true;
    }
  }
  return false;
}

}  // namespace

void load_interrupt_table() {
  if (g_idt[0].low == 0) {
    for (std::size_t vector = 0; vector < g_idt.size(); ++vector) {
      g_idt[vector] = make_interrupt_gate(trap_entries[vector], ist_of(vector));
    }
  }
  lidt({.limit = sizeof(g_idt) - 1, .base = reinterpret_cast<std::uint64_t>(g_idt.data())});
}

void stop_on_nmi() {
  g_stop_on_nmi.store(true, std::memory_order_release);
}

std::uint32_t stopped_cpus() {
  return g_stopped.load(std::memory_order_acquire);
}

void handle_nmi() {
  this_cpu().nmi_count.fetch_add(1, std::memory_order_relaxed);
  if (g_stop_on_nmi.load(std::memory_order_acquire)) {
    g_stopped.fetch_add(1, std::memory_order_release);
    for (;;) {
      cli();
      hlt();
    }
  }
}

extern "C" void trap_dispatch(TrapFrame* frame) {
  const auto vector = static_cast<std::uint8_t>(frame->vector);
  if (vector >= arch::kExceptionCount) {
    handle_interrupt(vector);
    return;
  }
  if (static_cast<arch::Vector>(vector) == arch::Vector::kNmi) {
    handle_nmi();
    return;
  }
  if (!recover(*frame)) {
    hv::panic_exception(*frame);
  }
}

}  // namespace archelon::hw
