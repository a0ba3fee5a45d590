#include "hv/hw/smp.hpp"

#include <atomic>
#include <cstddef>
#include <cstring>

#include "hv/base/assert.hpp"
#include "hv/base/log.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/hw/paging.hpp"
#include "hv/hw/traps.hpp"

extern "C" const std::byte ap_start[];
extern "C" const std::byte ap_start_parameters[];
extern "C" const std::byte ap_start_end[];

namespace archelon::hw {
namespace {

using drivers::acpi::Madt;
using drivers::acpi::MadtCpu;

// The parameters at the end of boot/ap_start.asm. `state` is the one word that both CPUs write.
struct ApParameters {
  std::uint64_t entry;
  std::uint64_t stack;
  std::uint32_t page_tables;
  std::uint32_t index;
  std::atomic<std::uint8_t> state;
};
static_assert(offsetof(ApParameters, stack) == 8 && offsetof(ApParameters, page_tables) == 16 &&
              offsetof(ApParameters, index) == 20 && offsetof(ApParameters, state) == 24 &&
              sizeof(ApParameters) == 32);
constexpr std::uint8_t kGivenUp = 0;
constexpr std::uint8_t kWaiting = 1;
constexpr std::uint8_t kClaimed = 2;

constinit drivers::HwLapic g_lapic;
constinit Hpa g_lapic_base;
constinit bool g_has_lapic = false;
constinit const Madt* g_madt = nullptr;
constinit CpuEntry g_entry = nullptr;

std::uint32_t highest_apic_id(const Madt& madt) {
  std::uint32_t highest = 0;
  for (const MadtCpu& cpu : madt.cpus) {
    if (cpu.enabled && cpu.apic_id > highest) {
      highest = cpu.apic_id;
    }
  }
  return highest;
}

// Lets the pins that firmware wired to NMI deliver it on the executing CPU.
void set_nmi_pins() {
  std::uint32_t uid = ~std::uint32_t{0};
  for (const MadtCpu& cpu : g_madt->cpus) {
    if (cpu.apic_id == this_cpu().apic_id) {
      uid = cpu.acpi_uid;
    }
  }
  for (const auto& nmi : g_madt->nmis) {
    if (nmi.all_cpus || nmi.acpi_uid == uid) {
      g_lapic.set_nmi_pin(nmi.lint);
    }
  }
}

template <class Done>
bool wait_until(std::uint64_t ticks, Done done) {
  const std::uint64_t begin = rdtsc();
  while (!done()) {
    if (rdtsc() - begin > ticks) {
      return false;
    }
    pause();
  }
  return true;
}

bool is_up(std::uint32_t apic_id) {
  for (std::uint32_t i = 0; i < cpu_count(); ++i) {
    if (cpu(i).apic_id == apic_id) {
      return true;
    }
  }
  return false;
}

extern "C" [[noreturn]] void ap_main(std::uint32_t index) {
  init_this_cpu(index);
  load_paging();
  static_cast<void>(drivers::enable_lapic(g_lapic.mode(), g_lapic_base, kSpuriousVector));
  this_cpu().apic_id = g_lapic.id();
  set_nmi_pins();
  add_cpu(index);
  g_entry();
  __builtin_unreachable();
}

enum class StartResult : std::uint8_t { kUp, kSilent, kStuck };

// SDM vol. 3A, "Typical AP Initialization Sequence": INIT, 10 ms, STARTUP, and a second STARTUP
// where the first was not taken.
StartResult start(std::uint32_t apic_id, ApParameters& parameters, std::uint32_t start_page,
                  std::uint64_t tsc_hz) {
  const auto claimed = [&] { return parameters.state.load(std::memory_order_acquire) == kClaimed; };
  parameters.state.store(kWaiting, std::memory_order_release);
  bool sent = g_lapic.send_init(apic_id);
  static_cast<void>(wait_until(tsc_hz / 100, [] { return false; }));
  sent = sent && g_lapic.send_startup(apic_id, start_page);
  if (sent && !wait_until(tsc_hz / 1000, claimed)) {
    sent = g_lapic.send_startup(apic_id, start_page);
  }
  if (!sent || !wait_until(tsc_hz, claimed)) {
    std::uint8_t expected = kWaiting;
    if (parameters.state.compare_exchange_strong(expected, kGivenUp)) {
      return StartResult::kSilent;
    }
  }
  const std::uint32_t index = parameters.index;
  const bool up = wait_until(tsc_hz, [&] { return cpu_count() > index; });
  return up ? StartResult::kUp : StartResult::kStuck;
}

}  // namespace

bool init_local_apic(const Madt& madt) {
  if (!drivers::has_lapic() || !map_device(madt.lapic_base, kPageSize)) {
    return false;
  }
  g_lapic_base = madt.lapic_base;
  g_madt = &madt;
  g_lapic = drivers::enable_lapic(drivers::choose_hw_lapic_mode(highest_apic_id(madt)),
                                  g_lapic_base, kSpuriousVector);
  g_has_lapic = true;
  this_cpu().apic_id = g_lapic.id();
  set_nmi_pins();
  set_interrupt_acknowledge([] { g_lapic.eoi(); });
  return true;
}

drivers::HwLapic& local_apic() {
  ARCHELON_ASSERT(g_has_lapic);
  return g_lapic;
}

void start_all_cpus(const Madt& madt, std::uint64_t tsc_hz, CpuEntry entry) {
  if (!g_has_lapic) {
    return;
  }
  g_entry = entry;
  const ApStartMemory memory = ap_start_memory();
  auto* page = to_pointer<std::byte>(memory.page);
  const auto size = static_cast<std::size_t>(ap_start_end - ap_start);
  ARCHELON_ASSERT(size <= kPageSize);
  for (const MadtCpu& found : madt.cpus) {
    if (!found.enabled || is_up(found.apic_id)) {
      continue;
    }
    const std::uint32_t index = cpu_count();
    if (index == kMaxCpus) {
      log_warning("more than {} CPUs: the rest stays off", kMaxCpus);
      return;
    }
    if (cpu(index).stack_top == Hva() && !make_stacks(index)) {
      log_error("no memory for the stacks of CPU {}: it stays off", index);
      return;
    }
    std::memcpy(page, ap_start, size);
    auto& parameters = *reinterpret_cast<ApParameters*>(page + (ap_start_parameters - ap_start));
    parameters.entry = reinterpret_cast<std::uint64_t>(ap_main);
    parameters.stack = cpu(index).stack_top.value();
    parameters.page_tables = static_cast<std::uint32_t>(memory.page_tables.value());
    parameters.index = index;
    switch (
        start(found.apic_id, parameters, static_cast<std::uint32_t>(memory.page.value()), tsc_hz)) {
      case StartResult::kUp:
        break;
      case StartResult::kSilent:
        log_error("CPU with APIC ID {} does not start; going on without it", found.apic_id);
        break;
      case StartResult::kStuck:
        log_error("CPU with APIC ID {} hangs in its start; going on with {} CPUs", found.apic_id,
                  index);
        return;
    }
  }
}

void send_ipi(std::uint32_t index, std::uint8_t vector) {
  if (!g_has_lapic || index >= cpu_count()) {
    return;
  }
  // An interrupt between the two halves of an xAPIC command, sending in its turn, would mix them
  // up.
  const bool enabled = interrupts_enabled();
  cli();
  static_cast<void>(g_lapic.send_fixed(cpu(index).apic_id, vector));
  if (enabled) {
    sti();
  }
}

std::uint32_t stop_other_cpus() {
  constexpr std::uint32_t kMaxSpins = 1'000'000;
  stop_on_nmi();
  std::uint32_t others = 0;
  for (std::uint32_t i = 0; g_has_lapic && i < cpu_count(); ++i) {
    if (i != this_cpu().index && g_lapic.send_nmi(cpu(i).apic_id)) {
      ++others;
    }
  }
  for (std::uint32_t spins = 0; spins < kMaxSpins && stopped_cpus() < others; ++spins) {
    pause();
  }
  return stopped_cpus();
}

}  // namespace archelon::hw
