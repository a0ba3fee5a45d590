#include "hv/monitor_commands.hpp"

#include <array>

#include "hv/base/log.hpp"
#include "hv/console.hpp"
#include "hv/exit_report.hpp"
#include "hv/hw/image.hpp"
#include "hv/nested/engine.hpp"
#include "hv/power.hpp"
#include "hv/shell/reports.hpp"
#include "hv/vm.hpp"
#include "hv/vmcs_snapshot.hpp"
#include "hv/vmx_machine.hpp"

namespace archelon::hv {
namespace {

std::string_view state_name(VmState state) {
  switch (state) {
    case VmState::kDefined:
      return "not started";
    case VmState::kRunning:
      return "running";
    case VmState::kRestarting:
      return "restarting";
    case VmState::kEnded:
      return "ended";
    case VmState::kStopped:
      return "stopped";
  }
  return "?";
}

std::string_view activity_name(Activity activity) {
  switch (activity) {
    case Activity::kRunning:
      return "running";
    case Activity::kHalted:
      return "halted";
    case Activity::kWaitForSipi:
      return "waits for SIPI";
    case Activity::kStopped:
      return "stopped";
  }
  return "?";
}

std::uint64_t sum_of_exits(const vmx::ExitCounters& counters) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < counters.l1.size(); ++i) {
    sum += counters.l1[i].total + counters.l2[i].total;
  }
  return sum;
}

void print_vms(const shell::Output& out) {
  if (system().vms.empty()) {
    out.line("there is no VM");
    return;
  }
  shell::print_vm_header(out);
  for (const Vm* vm : system().vms) {
    const VmState state = vm->state;
    const bool is_over = state == VmState::kEnded || state == VmState::kStopped;
    shell::print_vm({.name = vm->name,
                     .state = state_name(state),
                     .detail = is_over ? vm->end_reason : std::string_view(),
                     .memory = vm->config->memory,
                     .vcpus = vm->vcpu_count},
                    out);
    for (unsigned i = 0; i < vm->vcpu_count; ++i) {
      const Vcpu& vcpu = *vm->vcpus[i];
      shell::print_vcpu({.index = i,
                         .cpu = vcpu.cpu,
                         .activity = activity_name(vcpu.activity),
                         .level = nested::running_l2(vcpu) ? 2u : 1u,
                         .exits = sum_of_exits(vcpu.counters)},
                        out);
    }
  }
}

void print_exits(std::string_view name, const shell::Output& out) {
  if (!name.empty()) {
    if (const Vm* vm = choose_vm(name, out)) {
      shell::print_exits(vm->name, total_exits(*vm), out);
    }
    return;
  }
  for (const Vm* vm : system().vms) {
    shell::print_exits(vm->name, total_exits(*vm), out);
  }
  if (system().vms.empty()) {
    out.line("there is no VM");
  }
}

CommandResult start_vmcs(const shell::Command& command, const shell::Output& out) {
  const Vm* vm = choose_vm(command.vm, out);
  if (vm == nullptr) {
    return CommandResult::kDone;
  }
  if (command.vcpu >= vm->vcpu_count) {
    out.line("vm {} has {} vCPUs; the first is 0", vm->name, vm->vcpu_count);
    return CommandResult::kDone;
  }
  if (!request_snapshot(*vm->vcpus[command.vcpu], command.level)) {
    out.line("the last request is still open; try again");
    return CommandResult::kDone;
  }
  return CommandResult::kPending;
}

void print_copy(const VmcsCopy& copy, const shell::Output& out) {
  using Outcome = VmcsCopy::Outcome;
  switch (copy.outcome) {
    case Outcome::kNeverRan:
      out.line("the vCPU has not run yet");
      return;
    case Outcome::kNoVmcs12:
      out.line("L1 has no current VMCS");
      return;
    case Outcome::kNoVmcs02:
      out.line("L1's current VMCS, at {}, has not been entered", copy.region12);
      return;
    case Outcome::kNoAnswer:
      out.line("the vCPU's CPU does not answer");
      return;
    case Outcome::kTaken:
      break;
  }
  switch (copy.level) {
    case shell::VmcsLevel::k12:
      out.line("VMCS12 at L1's {}", copy.region12);
      break;
    case shell::VmcsLevel::k02:
      out.line("VMCS02 for the VMCS12 at L1's {}", copy.region12);
      break;
    default:
      out.line("VMCS01");
      break;
  }
  shell::print_vmcs(copy.fields, out);
}

void print_capabilities(const shell::Output& out) {
  const System& s = system();
  shell::print_capabilities({.usable = s.vmx_usable,
                             .missing = vmx_missing(),
                             .hardware = s.capabilities,
                             .l1 = s.l1_capabilities},
                            out);
}

void print_memory(const shell::Output& out) {
  mmu::FrameStats stats;
  {
    hw::SpinlockGuard guard(system().frames_lock);
    stats = system().frames.stats();
  }
  shell::print_frames(stats, out);
}

void print_log(std::uint64_t lines, const shell::Output& out) {
  std::array<char, kLogLineSize + 16> buffer;
  std::uint64_t count = 0;
  for (std::uint64_t cursor = 0; console_log_line(cursor, buffer);) {
    ++count;
  }
  std::uint64_t skip = count > lines ? count - lines : 0;
  // Lines that come meanwhile are not waited for.
  std::uint64_t cursor = 0;
  for (; count != 0; --count) {
    const auto line = console_log_line(cursor, buffer);
    if (!line) {
      return;
    }
    if (skip != 0) {
      --skip;
    } else {
      out.text(*line);
      out.text("\n");
    }
  }
}

void print_version(const shell::Output& out) {
  out.line("Archelon {}, built with {} {}", ARCHELON_VERSION,
#ifdef __clang__
           "Clang",
#else
           "GCC",
#endif
           __VERSION__);
  out.line("loaded at {}, {} CPUs", hw::image_base(), system().cpu_count);
}

}  // namespace

VmNames vm_names() {
  VmNames names;
  for (const Vm* vm : system().vms) {
    static_cast<void>(names.push_back(vm->name));
  }
  return names;
}

Vm* choose_vm(std::string_view name, const shell::Output& out) {
  const VmNames names = vm_names();
  const auto chosen = shell::choose_vm(name, {names.data(), names.size()}, out);
  return chosen ? system().vms[*chosen] : nullptr;
}

CommandResult run_command(const shell::Command& command, const shell::Output& out) {
  using enum shell::CommandId;
  switch (command.id) {
    case kHelp:
      shell::print_help(command.topic, out);
      break;
    case kVms:
      print_vms(out);
      break;
    case kExits:
      print_exits(command.vm, out);
      break;
    case kVmcs:
      return start_vmcs(command, out);
    case kCaps:
      print_capabilities(out);
      break;
    case kMem:
      print_memory(out);
      break;
    case kLog:
      print_log(command.lines, out);
      break;
    case kVersion:
      print_version(out);
      break;
    case kReboot:
      reboot_machine();
    case kPowerOff:
      power_off_machine();
    case kConsole:
      break;
  }
  return CommandResult::kDone;
}

bool finish_command(const shell::Output& out) {
  const VmcsCopy* copy = poll_snapshot();
  if (copy == nullptr) {
    return false;
  }
  print_copy(*copy, out);
  return true;
}

}  // namespace archelon::hv
