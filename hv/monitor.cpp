#include "hv/monitor.hpp"

#include <array>
#include <optional>

#include "hv/base/byte_ring.hpp"
#include "hv/base/log.hpp"
#include "hv/console.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/machine_access.hpp"
#include "hv/monitor_commands.hpp"
#include "hv/shell/focus.hpp"
#include "hv/shell/line_editor.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

// Turns come this close together while someone types or output waits: about what a UART's 16
// characters take at 115200 baud.
constexpr std::uint64_t kBusyNs = 1'000'000;
constexpr std::uint64_t kTypingNs = 1'000'000'000;  // since the last key
constexpr std::uint64_t kIdleNs = 10'000'000;
// A VM that is silent for so long within a line waits for an answer to what it wrote.
constexpr std::uint64_t kSilenceNs = 50'000'000;
// Other output is over, probably; then the prompt comes again.
constexpr std::uint64_t kPromptDelayNs = 100'000'000;
// What one turn reads at most: a flood of input must not hold the CPU.
constexpr unsigned kMaxKeys = 64;

constexpr shell::Output kOut([](void*, std::string_view text) { console_write_text(text); },
                             nullptr);

// Only the boot CPU touches it.
struct Monitor {
  bool started = false;
  shell::Focus focus;
  Vm* vm = nullptr;  // whose console was chosen
  shell::LineEditor editor;
  bool command_pending = false;

  ByteRing<4096> to_vm;  // typed, and not yet taken by the VM's UART
  std::uint32_t vm_bytes = 0;
  std::uint64_t vm_bytes_ns = 0;  // when the VM was last seen writing

  std::uint64_t typed_ns = 0;
  std::uint32_t interruptions = 0;
  std::optional<std::uint64_t> prompt_due_ns;
};
constinit Monitor g_monitor;

[[nodiscard]] bool has_console(const Vm& vm) {
  const VmState state = vm.state;
  return state == VmState::kRunning || state == VmState::kRestarting;
}

void show_prompt() {
  console_start_line();
  g_monitor.editor.show(kOut);
  g_monitor.interruptions = console_interruptions();
  g_monitor.prompt_due_ns.reset();
}

void enter_shell() {
  Monitor& m = g_monitor;
  if (m.vm != nullptr && m.vm->machine) {
    MachineAccess access(*m.vm);
    m.vm->console.go_by_lines();
  }
  show_prompt();
}

// The user talks to the VM from here on: its bytes come as they are.
void go_raw() {
  MachineAccess access(*g_monitor.vm);
  g_monitor.vm->console.go_raw(VmConsoleOutput{g_monitor.vm->name});
}

void enter_vm() {
  console_start_line();
  kOut.line("console of vm {}; Ctrl-] returns to the shell", g_monitor.vm->name);
  go_raw();
}

void leave_ended_vm() {
  g_monitor.vm = nullptr;
  g_monitor.focus.forget_vm();
  while (!g_monitor.to_vm.empty()) {
    g_monitor.to_vm.pop(g_monitor.to_vm.front().size());
  }
}

void choose_console(std::string_view name) {
  Vm* const vm = choose_vm(name, kOut);
  if (vm == nullptr || !vm->machine) {
    return;
  }
  if (!has_console(*vm)) {
    kOut.line("vm {} does not run", vm->name);
    return;
  }
  leave_ended_vm();
  g_monitor.vm = vm;
  g_monitor.focus.go_to_vm();
  enter_vm();
}

void run_line(std::string_view line) {
  Monitor& m = g_monitor;
  if (line.find_first_not_of(' ') == std::string_view::npos) {
    return;
  }
  const auto command = shell::parse_command(line, kOut);
  if (!command) {
    return;
  }
  if (command->id == shell::CommandId::kConsole) {
    choose_console(command->vm);
    return;
  }
  m.command_pending = run_command(*command, kOut) == CommandResult::kPending;
}

// Commands complete as the first word and after `help`, VMs elsewhere.
void complete() {
  shell::LineEditor& editor = g_monitor.editor;
  const std::string_view before = editor.before_cursor();
  if (before.find(' ') == std::string_view::npos || before.starts_with("help ")) {
    editor.complete(shell::command_names(), kOut);
  } else {
    const VmNames names = vm_names();
    editor.complete({names.data(), names.size()}, kOut);
  }
}

void key_to_shell(char c) {
  Monitor& m = g_monitor;
  using Event = shell::LineEditor::Event;
  switch (m.editor.put(c, kOut)) {
    case Event::kNone:
      return;
    case Event::kTab:
      complete();
      return;
    case Event::kLine:
      run_line(m.editor.line());
      break;
    case Event::kCancelled:
      break;
  }
  if (!m.focus.on_vm() && !m.command_pending) {
    show_prompt();
  }
}

void key_to_vm(char c) {
  if (!g_monitor.vm->console.is_raw()) {
    go_raw();
  }
  static_cast<void>(g_monitor.to_vm.push(c));  // a VM that does not read loses input, as on a UART
}

void take_key(char c) {
  using Target = shell::Focus::Target;
  switch (g_monitor.focus.route(c)) {
    case Target::kShell:
      key_to_shell(c);
      break;
    case Target::kVm:
      key_to_vm(c);
      break;
    case Target::kEnterShell:
      enter_shell();
      break;
    case Target::kEnterVm:
      enter_vm();
      break;
    case Target::kEnterVmAndSend:
      enter_vm();
      key_to_vm(c);
      break;
  }
}

void read_keys(std::uint64_t now) {
  // What is typed ahead of a command's answer waits in the UART.
  for (unsigned i = 0; i < kMaxKeys && !g_monitor.command_pending; ++i) {
    const auto c = console_read();
    if (!c) {
      return;
    }
    g_monitor.typed_ns = now;
    take_key(*c);
  }
}

void feed_vm() {
  Monitor& m = g_monitor;
  if (m.to_vm.empty()) {
    return;
  }
  MachineAccess access(*m.vm);
  while (!m.to_vm.empty() &&
         access.machine().console_input(static_cast<std::uint8_t>(m.to_vm.front()[0]))) {
    m.to_vm.pop(1);
  }
}

// Shows the line that the VM has begun once it writes no more.
void watch_silence(std::uint64_t now) {
  Monitor& m = g_monitor;
  MachineAccess access(*m.vm);
  if (m.vm->console.bytes() != m.vm_bytes) {
    m.vm_bytes = m.vm->console.bytes();
    m.vm_bytes_ns = now;
  } else if (now - m.vm_bytes_ns >= kSilenceNs) {
    m.vm->console.show_unfinished(VmConsoleOutput{m.vm->name});
  }
}

// Other lines have cut the prompt: shows it again when they are through.
void watch_prompt(std::uint64_t now) {
  Monitor& m = g_monitor;
  if (console_interruptions() != m.interruptions) {
    m.interruptions = console_interruptions();
    m.prompt_due_ns = now + kPromptDelayNs;
  }
  if (m.prompt_due_ns && now >= *m.prompt_due_ns && !m.command_pending) {
    show_prompt();
  }
}

void start() {
  Monitor& m = g_monitor;
  m.started = true;
  console_set_polled(true);
  for (Vm* vm : system().vms) {
    if (has_console(*vm)) {
      m.vm = vm;
      m.focus.go_to_vm();
      log_info("what is typed goes to vm {}; Ctrl-] goes to the shell", vm->name);
      return;
    }
  }
  console_start_line();
  kOut.line("This is Archelon's shell; `help` lists its commands.");
  show_prompt();
}

}  // namespace

std::uint64_t poll_monitor() {
  Monitor& m = g_monitor;
  if (hw::this_cpu().index != 0) {
    return ~std::uint64_t{0};
  }
  if (!m.started) {
    start();
  }
  const std::uint64_t now = now_ns();
  if (m.vm != nullptr && !has_console(*m.vm)) {
    const bool was_on_vm = m.focus.on_vm();
    leave_ended_vm();
    if (was_on_vm) {
      show_prompt();
    }
  }
  read_keys(now);
  if (m.command_pending && finish_command(kOut)) {
    m.command_pending = false;
    show_prompt();
  }
  if (m.vm != nullptr) {
    feed_vm();
  }
  m.focus.on_vm() ? watch_silence(now) : watch_prompt(now);
  const bool is_busy = console_poll() || now - m.typed_ns < kTypingNs || !m.to_vm.empty();
  return is_busy ? kBusyNs : kIdleNs;
}

}  // namespace archelon::hv
