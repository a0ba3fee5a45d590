#include "hv/bring_up.hpp"

#include <atomic>

#include "hv/arch/msr.hpp"
#include "hv/base/log.hpp"
#include "hv/console.hpp"
#include "hv/guest/config.hpp"
#include "hv/guest_cpu.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/lifecycle.hpp"
#include "hv/local_apic.hpp"
#include "hv/machine.hpp"
#include "hv/machine_features.hpp"
#include "hv/modules.hpp"
#include "hv/msr_bitmap.hpp"
#include "hv/platform.hpp"
#include "hv/run.hpp"
#include "hv/system.hpp"
#include "hv/vmx_machine.hpp"
#include "hv/wall_clock.hpp"

namespace archelon::hv {
namespace {

constinit guest::Config g_config;

// CPUs that have done their part of the start, and those of them on which no vCPU can run.
constinit std::atomic<unsigned> g_cpus_ready = 0;
constinit std::atomic<unsigned> g_cpus_without_vmx = 0;

void feed_frames() {
  std::uint64_t lost = 0;
  machine().memory.for_each_usable([&](const boot::MemoryRange& range) {
    if (!system().frames.add_range(range.begin, range.size())) {
      lost += range.size();
    }
  });
  if (lost >= (1u << 20)) {
    log_warning("memory: {} KiB in ranges too small to use", lost >> 10);
  }
}

void report_errors(const guest::ConfigErrors& errors) {
  for (std::size_t i = 0; i < errors.size(); ++i) {
    log_error("{}", errors[i]);
  }
  if (errors.left_out() != 0) {
    log_error("archelon.conf: {} more errors", errors.left_out());
  }
}

}  // namespace

void bring_up_system() {
  System& s = system();
  s.cpu_count = hw::cpu_count();
  s.clock = Clock(platform().tsc.hz, hw::rdtsc());
  s.boot_seconds = read_wall_clock();
  s.physical_bits = hw::cpuid(0x80000000).eax >= 0x80000008 ? hw::cpuid(0x80000008).eax & 0xff : 36;
  feed_frames();
  read_machine_features();
  set_modules(machine().boot);
  init_timer_hardware();
  probe_vmx();
  if (s.vmx_usable) {
    s.ept_features = mmu::ept::features_from_capability(
        s.capabilities[arch::msr::kVmxEptVpidCap], s.physical_bits);
    prepare_guest_cpu();
    s.l0_msr_bitmap = make_l0_msr_bitmap();
  }
}

void bring_up_this_cpu() {
  enable_xsave();
  init_this_cpu_timer();
  if (system().vmx_usable && !enter_vmx_operation()) {
    g_cpus_without_vmx.fetch_add(1);
  }
  g_cpus_ready.fetch_add(1, std::memory_order_release);
}

void wait_for_all_cpus() {
  constexpr std::uint64_t kLimitNs = 1'000'000'000;
  System& s = system();
  while (g_cpus_ready.load(std::memory_order_acquire) < s.cpu_count) {
    if (now_ns() > kLimitNs) {
      log_error("{} of {} CPUs are ready after a second; no VM can run",
                g_cpus_ready.load(std::memory_order_acquire), s.cpu_count);
      s.vmx_usable = false;
      return;
    }
    hw::pause();
  }
  if (s.vmx_usable && g_cpus_without_vmx != 0) {
    log_error("VT-x: the CPUs do not agree; no VM can run on this machine; the shell still works");
    s.vmx_usable = false;
  }
}

void read_configuration() {
  const auto text = find_module(guest::kConfigName);
  if (!text) {
    log_info("no module named {}: no VM to start", guest::kConfigName);
    return;
  }
  guest::parse_config({reinterpret_cast<const char*>(text->data()), text->size()}, g_config);
  if (system().vmx_usable) {
    guest::check_against_machine(g_config, {.memory = system().frames.stats().free * kPageSize,
                                            .cpus = system().cpu_count,
                                            .modules = module_names()});
  }
  machine().options.fill_in(g_config.globals);
  set_log_level(machine().options.log_level.value_or(boot::kDefaultLogLevel));
  console_open(machine().consoles());
  console_open_screen(machine().consoles(), machine().boot.framebuffer);
  report_errors(g_config.errors);
}

void start_configured_vms() {
  if (system().vmx_usable) {
    start_vms(g_config);
  }
}

}  // namespace archelon::hv
