#include "hv/hw/interrupts.hpp"

#include <array>
#include <atomic>

#include "hv/arch/exception.hpp"
#include "hv/base/assert.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hw {
namespace {

constinit std::array<std::atomic<InterruptHandler>, 256> g_handlers{};
constinit std::atomic<InterruptAcknowledge> g_acknowledge{nullptr};
constinit std::atomic<std::uint64_t> g_unclaimed{0};

constexpr std::uint16_t kPic1Command = 0x20;
constexpr std::uint16_t kPic1Data = 0x21;
constexpr std::uint16_t kPic2Command = 0xa0;
constexpr std::uint16_t kPic2Data = 0xa1;

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

void disable_pics() {
  // 8259A data sheet, "Initialization Command Words": edge triggered, cascade, ICW4; base; slave on
  // line 2; 8086 mode. Then OCW1 masks all lines.
  out8(kPic1Command, 0x11);
  out8(kPic2Command, 0x11);
  out8(kPic1Data, kPicBase);
  out8(kPic2Data, kPicBase + 8);
  out8(kPic1Data, 1U << 2);
  out8(kPic2Data, 2);
  out8(kPic1Data, 1);
  out8(kPic2Data, 1);
  out8(kPic1Data, 0xff);
  out8(kPic2Data, 0xff);
}

}  // namespace archelon::hw
