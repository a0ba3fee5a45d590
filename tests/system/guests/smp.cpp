// Two CPUs: start by INIT and SIPI, interrupts between them, timers, in xAPIC and x2APIC mode.
#include "runtime/smp.hpp"

#include <array>

#include "runtime/apic.hpp"
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"

using namespace guest;

namespace {

constexpr std::uint8_t kPing = 0x60;
constexpr std::uint8_t kPong = 0x61;
constexpr std::uint8_t kWake = 0x62;
constexpr std::uint8_t kStop = 0x63;
constexpr std::uint8_t kTimerVector = 0x64;
constexpr std::uint32_t kOther = 1;
constexpr std::uint64_t kRounds = 100;
constexpr std::uint64_t kLimitUs = 2000000;

volatile std::uint64_t pings = 0;
volatile std::uint64_t pongs = 0;
volatile std::uint64_t wakes = 0;
volatile std::uint64_t ticks = 0;
volatile std::uint64_t nmis = 0;
volatile bool up = false;
volatile bool stop = false;
volatile bool stopped = false;
volatile std::uint32_t other_id = ~0U;
volatile std::uint64_t counter = 0;
bool use_x2apic = false;

void increment(volatile std::uint64_t& value) {
  value = value + 1;
}

// Waits for a condition; a machine that loses an interrupt fails here.
template <typename Condition>
void wait_for(const char* what, Condition condition) {
  const std::uint64_t end = rdtsc() + kLimitUs * tsc_per_us();
  while (!condition()) {
    pause();
    if (rdtsc() > end) fail("waited too long for ", what);
  }
}

void other_cpu() {
  apic::enable(use_x2apic);
  other_id = apic::id();
  up = true;
  while (!stop) sti_hlt_cli();
  stopped = true;
}

void on_ping(TrapFrame&) {
  increment(pings);
  apic::end_of_interrupt();
  apic::send(0, 0x4000 | kPong);
}
void on_pong(TrapFrame&) {
  increment(pongs);
  apic::end_of_interrupt();
}
void on_wake(TrapFrame&) {
  increment(wakes);
  apic::end_of_interrupt();
}
void on_stop(TrapFrame&) {
  stop = true;
  apic::end_of_interrupt();
}
void on_timer(TrapFrame&) {
  increment(ticks);
  apic::end_of_interrupt();
}
void on_nmi(TrapFrame&) {
  increment(nmis);
}

void start_other() {
  up = false;
  stop = false;
  stopped = false;
  start_cpu(kOther, other_cpu);
  wait_for("the other CPU", [] { return up; });
  line("CPU ", static_cast<std::uint32_t>(other_id), " is up");
}

void interrupts() {
  sti();
  for (std::uint64_t i = 0; i < kRounds; ++i) {
    apic::send(kOther, 0x4000 | kPing);
    wait_for("a pong", [i] { return pongs > i; });
  }
  line("pings ", static_cast<std::uint64_t>(pings), " pongs ", static_cast<std::uint64_t>(pongs));
  cli();
  pings = 0;
  pongs = 0;

  const std::uint64_t before = wakes;
  apic::send(0, 3U << 18 | 0x4000 | kWake);  // all but self
  wait_for("a wake-up", [before] { return wakes > before; });
  line("all but self: ", wakes - before);
  apic::send_to_self(kWake);
  asm volatile("sti; nop; cli");
  line("and self: ", wakes - before);
  const std::uint64_t nmis_before = nmis;
  apic::send(kOther, 0x4400);
  wait_for("an NMI", [nmis_before] { return nmis > nmis_before; });
  line("NMI: ", nmis - nmis_before);
}

void one_timer(const char* name, std::uint64_t wanted) {
  ticks = 0;
  const std::uint64_t end = rdtsc() + kLimitUs * tsc_per_us();
  while (ticks < wanted) {
    sti_hlt_cli();
    if (rdtsc() > end) fail(name, ": ticks ", static_cast<std::uint64_t>(ticks));
  }
  line(name, ": ok");
}

void timers() {
  apic::write(apic::kTimerDivide, 0xb);
  apic::write(apic::kTimer, kTimerVector);
  apic::write(apic::kTimerInitial, 50000);
  one_timer("one-shot timer", 1);
  apic::write(apic::kTimer, kTimerVector | apic::kTimerPeriodic);
  apic::write(apic::kTimerInitial, 50000);
  one_timer("periodic timer", 10);
  apic::write(apic::kTimerInitial, 0);
  if ((cpuid(1).ecx >> 24 & 1) != 0) {
    apic::write(apic::kTimer, kTimerVector | apic::kTimerTscDeadline);
    asm volatile("mfence" : : : "memory");
    const std::uint64_t deadline = rdtsc() + 100000;
    wrmsr(msr::kTscDeadline, deadline);
    one_timer("TSC-deadline timer", 1);
    line("not early: ", rdtsc() >= deadline);
    wrmsr(msr::kTscDeadline, 1);
    one_timer("TSC-deadline in the past", 1);
  } else {
    line("TSC-deadline timer: not offered");
  }
  apic::write(apic::kTimer, apic::kMasked | kTimerVector);
}

// Both CPUs add to one counter.
void add_here() {
  for (int i = 0; i < 10000; ++i) {
    asm volatile("lock incq %0" : "+m"(counter) : : "memory");
  }
}
void add_there(TrapFrame&) {
  apic::end_of_interrupt();
  add_here();
  increment(wakes);
}

void memory() {
  counter = 0;
  set_handler(kWake, add_there);
  const std::uint64_t before = wakes;
  apic::send(kOther, 0x4000 | kWake);
  add_here();
  wait_for("the other's sum", [before] { return wakes > before; });
  line("common counter: ", static_cast<std::uint64_t>(counter));
  set_handler(kWake, on_wake);
}

void stop_other() {
  apic::send(kOther, 0x4000 | kStop);
  wait_for("the other's end", [] { return stopped; });
  line("CPU ", kOther, " has stopped");
}

void all() {
  start_other();
  interrupts();
  timers();
  memory();
  stop_other();
}

}  // namespace

GUEST_MAIN {
  set_handler(2, on_nmi);
  set_handler(kPing, on_ping);
  set_handler(kPong, on_pong);
  set_handler(kWake, on_wake);
  set_handler(kStop, on_stop);
  set_handler(kTimerVector, on_timer);
  apic::enable(false);
  line("CPU ", apic::id(), " in xAPIC mode");
  all();
  if (apic::has_x2apic()) {
    use_x2apic = true;
    apic::enable(true);
    line("CPU ", apic::id(), " in x2APIC mode");
    all();
  }
  return 0;
}
