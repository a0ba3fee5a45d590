#include "hv/vm_build.hpp"

#include <array>
#include <cstring>

#include "hv/base/log.hpp"
#include "hv/devices/acpi_tables.hpp"
#include "hv/guest/loader.hpp"
#include "hv/guest_cpu.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/live_state.hpp"
#include "hv/modules.hpp"
#include "hv/nested/engine.hpp"
#include "hv/run.hpp"
#include "hv/system.hpp"
#include "hv/vcpu_state.hpp"

namespace archelon::hv {
namespace {

constexpr std::uint64_t k2M = std::uint64_t{2} << 20;
constexpr std::uint64_t k1G = std::uint64_t{1} << 30;

constexpr std::size_t kRsdpSize = 36;  // ACPI, "Root System Description Pointer (RSDP) Structure"

// Too large for a stack. VMs are loaded one at a time: at boot, and on reset under g_load_lock.
constinit std::array<std::byte, devices::kAcpiTablesMax> g_tables{};
constinit hw::Spinlock g_load_lock;

// The VM's RAM in one block, aligned for 1 GiB pages if that can be had.
std::optional<Hpa> take_memory(std::uint64_t bytes) {
  hw::SpinlockGuard guard(system().frames_lock);
  Frames& frames = system().frames;
  if (bytes >= k1G) {
    if (const auto block = frames.allocate_contiguous(bytes, k1G)) {
      return block;
    }
  }
  return frames.allocate_contiguous(bytes, k2M);
}

[[nodiscard]] bool map_memory(Vm& vm) {
  const auto map = [&vm](const VmMemory::Range& range, mmu::Rights rights) {
    return vm.ept01
        ->map(range.start, range.size, range.backing, rights, mmu::MemoryType::kWriteBack)
        .ok();
  };
  for (const VmMemory::Range& range : vm.memory.ranges()) {
    if (!map(range, mmu::Rights::kAll)) {
      return false;
    }
  }
  return map(vm.memory.rom(), mmu::Rights::kRead | mmu::Rights::kExecute);
}

// As after power-up: RAM of zeroes, and no option ROM that answers.
void clear_memory(const VmMemory& memory) {
  for (const VmMemory::Range& range : memory.ranges()) {
    std::memset(memory.pointer(range.start, range.size), 0, range.size);
  }
  const VmMemory::Range& rom = memory.rom();
  std::memset(hw::to_pointer<std::byte>(rom.backing), 0xff, rom.size);
}

[[nodiscard]] bool make_vcpus(Vm& vm, const guest::VmConfig& config) {
  for (unsigned i = 0; i < config.cpus; ++i) {
    const unsigned cpu = config.cpu_pins.empty() ? (vm.number + i) % system().cpu_count
                                                 : config.cpu_pins[i] % system().cpu_count;
    Vcpu* vcpu = make_object<Vcpu>(vm, i, cpu);
    const std::optional<Hpa> region = allocate_zeroed_frame();
    if (vcpu == nullptr || !region || !prepare_live_state(*vcpu) || !nested::make_engine(*vcpu)) {
      return false;
    }
    vcpu->vmcs01_region = *region;
    vm.vcpus[vm.vcpu_count++] = vcpu;
  }
  return true;
}

[[nodiscard]] devices::MachineConfig machine_config(const guest::VmConfig& config) {
  return {.cpus = config.cpus,
          .memory_bytes = config.memory,
          .tsc_hz = system().clock.hz(),
          .lapic_timer_hz = arch::guest_crystal_hz(system().clock.hz()),
          .wall_clock_seconds = system().boot_seconds,
          .physical_address_bits = system().physical_bits,
          .debugcon_port = config.debugcon,
          .debug_exit_port = config.debug_exit};
}

[[nodiscard]] std::optional<guest::BootState> load_kernel(Vm& vm) {
  const guest::VmConfig& config = *vm.config;
  StaticVector<guest::BootModule, guest::kMaxInitrds> modules;
  for (const guest::InitrdConfig& initrd : config.initrds) {
    const bool kept =
        modules.push_back({.bytes = *find_module(initrd.path), .command_line = initrd.arguments});
    ARCHELON_ASSERT(kept);
  }
  std::array<std::byte, devices::kAcpiTablesMax>& tables = g_tables;
  const auto written =
      devices::write_acpi_tables(machine_config(config), guest::kFirmwareArea, tables);
  ARCHELON_ASSERT(written.has_value());
  const std::span<const std::byte> bytes = std::span(tables).first(*written);
  ARCHELON_ASSERT(vm.memory.write(guest::kFirmwareArea, bytes));
  const guest::BootRequest request{.kernel = *find_module(config.kernel),
                                   .command_line = config.cmdline,
                                   .modules = {modules.data(), modules.size()},
                                   .layout = vm.layout,
                                   .rsdp = guest::kFirmwareArea,
                                   .rsdp_bytes = bytes.first(kRsdpSize)};
  const auto state = guest::load_kernel(vm.memory, request);
  if (!state) {
    std::array<char, 160> text{};
    log_error("archelon.conf:{}: vm {}: kernel {}: {}", config.line_of(guest::VmKey::kKernel),
              vm.name, config.kernel, guest::describe(text, state.error()));
    return std::nullopt;
  }
  return *state;
}

}  // namespace

Status<std::string_view> build_vm(Vm& vm, const guest::VmConfig& config) {
  System& s = system();
  vm.config = &config;
  const auto layout = guest::MemoryLayout::of(config.memory);
  if (!layout) {
    return Err{std::string_view(guest::describe(layout.error()))};
  }
  vm.layout = *layout;
  const std::optional<Hpa> block = take_memory(config.memory);
  if (!block) {
    return Err{std::string_view("there is no contiguous memory left for it")};
  }
  vm.backing = *block;
  vm.memory = VmMemory(Hva(hw::kDirectMapBase));
  const auto range = [&](const guest::RamRange& from) {
    return VmMemory::Range{
        .start = from.base, .size = from.size, .backing = *block + from.backing_offset};
  };
  for (const guest::RamRange& ram : vm.layout.ram()) {
    ARCHELON_ASSERT(vm.memory.add(range(ram)));
  }
  vm.memory.set_rom(range(vm.layout.option_roms()));
  vm.ept01.emplace(s.memory, vm.frames, s.ept_features);
  if (!vm.ept01->create() || !map_memory(vm)) {
    return Err{std::string_view("there is no memory left for its EPT")};
  }
  vm.eptp01 = vm.ept01->pointer();
  vm.cpuid.build(hardware_cpuid, cpuid_options(config.cpus));
  vm.machine.emplace(vm.host, machine_config(config), now_ns());
  if (!make_vcpus(vm, config)) {
    return Err{std::string_view("there is no memory left for its vCPUs")};
  }
  return Ok{};
}

bool load_vm(Vm& vm) {
  hw::SpinlockGuard guard(g_load_lock);
  clear_memory(vm.memory);
  const std::optional<guest::BootState> state = load_kernel(vm);
  if (!state) {
    return false;
  }
  nested::forget_l2s(vm);
  {
    hw::SpinlockGuard devices(vm.devices_lock);  // the shell may be feeding them
    vm.machine->reset(now_ns());
    vm.power_event.reset();
  }
  const std::uint64_t tsc_offset = 0 - hw::rdtsc();
  for (unsigned i = 0; i < vm.vcpu_count; ++i) {
    Vcpu& vcpu = *vm.vcpus[i];
    vcpu.take(~std::uint32_t{0});  // what was asked of its former life
    reset_live_state(vcpu);
    vcpu.start_state = *state;
    vcpu.tsc_offset = tsc_offset;
    vcpu.msrs.reset(system().msr_config);
    vcpu.msrs.set_firmware_mtrrs(vm.layout.low_ram_end());
    vcpu.activity = i == 0 ? Activity::kRunning : Activity::kWaitForSipi;
    vcpu.fresh = true;
  }
  return true;
}

void release_vm_memory(Vm& vm) {
  if (vm.backing) {
    hw::SpinlockGuard guard(system().frames_lock);
    system().frames.free_contiguous({*vm.backing, vm.config->memory});
    vm.backing.reset();
  }
  if (vm.ept01) {
    vm.ept01->destroy();
    vm.ept01.reset();
  }
}

}  // namespace archelon::hv
