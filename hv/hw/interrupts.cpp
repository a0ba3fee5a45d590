#include "hv/hw/interrupts.hpp"

#include <array>
#include <atomic>

#include "hv/arch/exception.hpp"
#include "hv/base/assert.hpp"

namespace archelon::hw {
namespace {

constinit std::array<std::atomic<InterruptHandler>, 256> g_handlers{};
constinit std::atomic<InterruptAcknowledge> g_acknowledge{nullptr};
constinit std::atomic<std::uint64_t> g_unclaimed{0};

}  // namespace

void set_interrupt_handler(std::uint8_t vector, InterruptHandler handler) {
  ARCHELON_ASSERT(vector >= arch::kExceptionCount);
  g_handlers[vector].store(handler, std::memory_order_release);
}

void set_interrupt_acknowledge(InterruptAcknowledge acknowledge) {
  g_acknowledge.store(acknowledge, std::memory_order_release);
}

void handle_interrupt(std::uint8_t vector) {
  const InterruptHandler handler = g_handlers[vector].load(std::memory_order_acquire);
  if (handler != nullptr) {
    handler(vector);
  } else {
    g_unclaimed.fetch_add(1, std::memory_order_relaxed);
  }
  // Neither the spurious vector nor what a masked 8259 raises is in service in the local APIC.
  const bool in_service =
      vector != kSpuriousVector && (vector < kPicBase || vector >= kPicBase + 16);
  const InterruptAcknowledge acknowledge = g_acknowledge.load(std::memory_order_acquire);
  if (in_service && acknowledge != nullptr) {
    acknowledge();
  }
}

std::uint64_t unclaimed_interrupts() {
  return g_unclaimed.load(std::memory_order_relaxed);
}

}  // namespace archelon::hw
