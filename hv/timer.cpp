#include "hv/timer.hpp"

#include <array>

#include "hv/hw/cpu.hpp"
#include "hv/local_apic.hpp"
#include "hv/system.hpp"

namespace archelon::hv {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};

// What each CPU's timer is armed for; only its own CPU touches an element.
constinit std::array<std::uint64_t, hw::kMaxCpus> g_armed = [] {
  std::array<std::uint64_t, hw::kMaxCpus> never{};
  never.fill(kNever);
  return never;
}();

}  // namespace

void wake_by(std::uint64_t deadline_ns) {
  std::uint64_t& armed = g_armed[hw::this_cpu().index];
  if (deadline_ns < armed) {
    armed = deadline_ns;
    arm_timer(system().clock.to_tsc(deadline_ns));
  }
}

void timer_fired() { g_armed[hw::this_cpu().index] = kNever; }

}  // namespace archelon::hv
