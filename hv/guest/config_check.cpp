#include <algorithm>

#include "hv/guest/config.hpp"
#include "hv/guest/layout.hpp"

namespace archelon::guest {
namespace {

bool is_loaded(std::string_view path, const MachineResources& machine) {
  return std::ranges::find(machine.modules, path) != machine.modules.end();
}

void check_module(std::uint32_t line, std::string_view what, std::string_view path,
                  const MachineResources& machine, ConfigErrors& errors) {
  if (!is_loaded(path, machine)) {
    const std::string_view shown = path.substr(0, 48);
    errors.add(line, "{} '{}' was not loaded; add 'module2 FILE {}' to the GRUB menu entry", what,
               shown, shown);
  }
}

void check_vm(const VmConfig& vm, std::uint64_t free_memory, const MachineResources& machine,
              ConfigErrors& errors) {
  if (vm.memory > free_memory) {
    errors.add(vm.line_of(VmKey::kMemory),
               "vm {} asks for {}M of memory and {}M are left; ask for at most that", vm.name,
               vm.memory / kMiB, align_down(free_memory, kMemoryUnit) / kMiB);
  }
  if (vm.cpus > machine.cpus) {
    errors.add(vm.line_of(VmKey::kCpus),
               "vm {} asks for {} CPUs and the machine has {}; ask for at most that", vm.name,
               vm.cpus, machine.cpus);
  }
  for (const std::uint16_t pin : vm.cpu_pins) {
    if (pin >= machine.cpus) {
      errors.add(vm.line_of(VmKey::kCpuPin),
                 "vm {} is pinned to CPU {} and the machine has CPUs 0 to {}; pin it to those",
                 vm.name, pin, machine.cpus - 1);
    }
  }
  check_module(vm.line_of(VmKey::kKernel), "kernel", vm.kernel, machine, errors);
  for (const InitrdConfig& initrd : vm.initrds) {
    check_module(initrd.line, "initrd", initrd.path, machine, errors);
  }
}

}  // namespace

void check_against_machine(Config& config, const MachineResources& machine) {
  std::uint64_t free_memory = machine.memory;
  for (std::size_t i = 0; i < config.vms.size();) {
    const std::size_t errors_before = config.errors.total();
    const VmConfig& vm = config.vms[i];
    check_vm(vm, free_memory, machine, config.errors);
    if (config.errors.total() != errors_before) {
      config.vms.erase(i);
    } else {
      free_memory -= vm.memory;
      ++i;
    }
  }
}

}  // namespace archelon::guest
