#include "hv/lifecycle.hpp"

#include "hv/base/log.hpp"
#include "hv/exit_report.hpp"
#include "hv/live_state.hpp"
#include "hv/machine_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/power.hpp"
#include "hv/run.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vm_build.hpp"

namespace archelon::hv {
namespace {

constinit std::atomic<unsigned> g_live_vms = 0;

// One VM less lives; after the last one comes what the configuration says.
void count_out() {
  if (g_live_vms.fetch_sub(1) == 1) {
    log_info("all vms ended");
    all_vms_ended();
  }
}

void start_vm(Vm& vm) {
  vm.state = VmState::kRunning;
  vm.running_vcpus = vm.vcpu_count;
  log_info("vm {}: started", vm.name);
  for (unsigned i = 0; i < vm.vcpu_count; ++i) {
    schedule(*vm.vcpus[i]);
  }
}

void finish(Vm& vm, VmState state, std::string_view why) {
  VmState expected = VmState::kRunning;
  if (vm.state.compare_exchange_strong(expected, state)) {
    vm.end_reason = why;
    for (unsigned i = 0; i < vm.vcpu_count; ++i) {
      vm.vcpus[i]->request(work::kStop);
    }
  }
}

// The last vCPU of a VM that was reset makes it start over.
void restart(Vm& vm) {
  if (load_vm(vm)) {
    start_vm(vm);
  } else {
    log_info("vm {}: stopped: it cannot be loaded again", vm.name);
    count_out();
  }
}

}  // namespace

void end_vm(Vm& vm, std::string_view how) {
  finish(vm, VmState::kEnded, how);
}

void stop_vm(Vm& vm, std::string_view why) {
  finish(vm, VmState::kStopped, why);
}

void handle_power_event(Vm& vm) {
  if (!vm.power_event) [[likely]] {
    return;
  }
  switch (*vm.power_event) {
    case devices::PowerEvent::kPowerOff:
      end_vm(vm, "power-off");
      break;
    case devices::PowerEvent::kReset:
      if (vm.config->on_reset == guest::OnReset::kRestart) {
        finish(vm, VmState::kRestarting, "reset");
      } else {
        end_vm(vm, "reset");
      }
      break;
    case devices::PowerEvent::kDebugExit:
      end_vm(vm, "debug-exit");
      break;
  }
}

void retire_vcpu(Vcpu& vcpu) {
  Vm& vm = vcpu.vm;
  vcpu.activity = Activity::kStopped;
  nested::leave(vcpu);
  forget_live_state(vcpu);
  vcpu.vmcs01.clear();
  // The frames of its EPT01 may become tables of another EPT, under which the CPU would find what
  // it remembers of this one.
  flush_all_ept();
  unschedule(vcpu);
  if (vm.running_vcpus.fetch_sub(1) != 1) {
    return;
  }
  {
    hw::SpinlockGuard guard(vm.devices_lock);
    vm.flush_consoles();
  }
  const VmState state = vm.state;
  if (state == VmState::kRestarting) {
    log_info("vm {}: reset", vm.name);
    restart(vm);
    return;
  }
  report_exits(vm);
  if (state == VmState::kEnded && vm.power_event == devices::PowerEvent::kDebugExit) {
    log_info("vm {}: ended: debug-exit code {}", vm.name, vm.power_code);
  } else if (state == VmState::kEnded) {
    log_info("vm {}: ended: {}", vm.name, vm.end_reason);
  } else {
    log_info("vm {}: stopped: {}", vm.name, vm.end_reason);
  }
  release_vm_memory(vm);
  count_out();
}

bool wakes_from_halt(Vcpu& vcpu) {
  if (vcpu.nmi_pending || vcpu.event.valid() || nested::wakes(vcpu)) {
    return true;
  }
  const bool enabled = (vcpu.vmcs().read(vmx::fields::kGuestRflags) & arch::rflags::kIf) != 0;
  MachineAccess access(vcpu.vm);
  return enabled && access.machine().pending_interrupt(vcpu.index).has_value();
}

void start_vms(const guest::Config& config) {
  System& s = system();
  g_live_vms = 1;  // this function's own, so that the last end comes after the last start
  for (const guest::VmConfig& vm_config : config.vms) {
    Vm* vm = make_object<Vm>(vm_config.name, static_cast<unsigned>(s.vms.size()));
    if (vm == nullptr || !s.vms.push_back(vm)) {
      log_error("archelon.conf:{}: vm {}: there is no memory left for it", vm_config.line,
                vm_config.name);
      continue;
    }
    if (const auto built = build_vm(*vm, vm_config); !built) {
      log_error("archelon.conf:{}: vm {}: {}", vm_config.line_of(guest::VmKey::kMemory),
                vm_config.name, built.error());
      log_info("vm {}: stopped: it could not be built", vm_config.name);
      release_vm_memory(*vm);
      continue;
    }
    if (!load_vm(*vm)) {
      log_info("vm {}: stopped: it could not be loaded", vm_config.name);
      release_vm_memory(*vm);
      continue;
    }
    ++g_live_vms;
    start_vm(*vm);
  }
  if (config.vms.empty()) {
    return;
  }
  count_out();
}

}  // namespace archelon::hv
