#include "hv/local_apic.hpp"

#include "drivers/hw/lapic.hpp"
#include "drivers/tick_scale.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/hw/smp.hpp"
#include "hv/platform.hpp"
#include "hv/system.hpp"
#include "hv/timer.hpp"

namespace archelon::hv {
namespace {

// How deadlines reach the timer; the same on every CPU.
constinit bool g_tsc_deadline = false;
constinit drivers::TickScale g_scale;

}  // namespace

void init_timer_hardware() {
  g_tsc_deadline = drivers::has_tsc_deadline();
  g_scale = platform().lapic_timer;
  hw::set_interrupt_handler(hw::kTimerVector, [](std::uint8_t) { timer_fired(); });
  hw::set_interrupt_handler(hw::kKickVector, [](std::uint8_t) {});
}

void init_this_cpu_timer() {
  if (g_tsc_deadline) {
    hw::local_apic().use_tsc_deadline(hw::kTimerVector);
  }
}

void arm_timer(std::uint64_t tsc) {
  const std::uint64_t now = hw::rdtsc();
  if (g_tsc_deadline) {
    // A deadline of 0 would disarm; one that has passed fires at once.
    hw::local_apic().set_deadline(tsc == 0 ? 1 : tsc);
    return;
  }
  const std::uint64_t ticks = tsc <= now ? 0 : g_scale.convert(tsc - now);
  hw::local_apic().start_one_shot(hw::kTimerVector, drivers::one_shot_count(ticks));
}

}  // namespace archelon::hv
