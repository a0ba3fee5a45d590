#include <atomic>
#include <cstdint>

#include "drivers/hw/ports.hpp"
#include "drivers/pic8259.hpp"
#include "hv/base/log.hpp"
#include "hv/boot_information.hpp"
#include "hv/bring_up.hpp"
#include "hv/console.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/hw/paging.hpp"
#include "hv/hw/smp.hpp"
#include "hv/machine.hpp"
#include "hv/platform.hpp"
#include "hv/run.hpp"
#include "hv/system.hpp"

namespace archelon::hv {
namespace {

[[noreturn]] void halt() {
  console_flush();
  for (;;) {
    hw::cli();
    hw::hlt();
  }
}

// A start that cannot go on: the reason is in the log.
[[noreturn]] void fail() {
  console_open_emergency();
  log_error("halted");
  halt();
}

// Application processors come up one by one before the boot CPU has filled what they share.
constinit std::atomic<bool> g_booted = false;

[[noreturn]] void wait_for_boot() {
  while (!g_booted.load(std::memory_order_acquire)) {
    hw::pause();
  }
  bring_up_this_cpu();
  run_cpu();
}

// The second half of the start: on the boot CPU's own stack and the final page tables.
[[noreturn]] void run() {
  init_platform();
  hw::start_all_cpus(platform().acpi.madt, platform().tsc.hz, wait_for_boot);
  bring_up_system();
  log_info("{} CPUs, {} MiB of memory free", hw::cpu_count(),
           (system().frames.stats().free * kPageSize) >> 20);
  g_booted.store(true, std::memory_order_release);
  bring_up_this_cpu();
  wait_for_all_cpus();
  read_configuration();
  start_configured_vms();
  run_cpu();
}

}  // namespace

extern "C" [[noreturn]] void kernel_main(std::uint32_t magic, std::uint32_t boot_information,
                                         std::uint32_t image_base) {
  hw::set_image_base(Hpa(image_base));
  hw::init_this_cpu(0);
  hw::add_cpu(0);
  drivers::HwPorts ports;
  drivers::disable_8259(ports, hw::kPicBase);
  console_init();
  log_info("Archelon: loaded at {}", Hpa(image_base));
  if (!read_boot_information(magic, Hpa(boot_information))) {
    fail();
  }
  console_open(machine().consoles());
  if (!hw::init_paging(machine().memory) || !hw::make_stacks(0)) {
    log_error("not enough memory for L0's own page tables and stacks");
    fail();
  }
  console_open_screen(machine().consoles(), machine().boot.framebuffer);
  hw::switch_to_own_stack(run);
}

}  // namespace archelon::hv
