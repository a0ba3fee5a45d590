#include "hv/shell/focus.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hv/shell/vm_console.hpp"

using namespace archelon::shell;
using Target = Focus::Target;

namespace {

// Terminals and record consoles, as the kernel has them, with the line of a VM called "a".
struct Consoles {
  std::string terminal;
  std::vector<std::string> record;
  std::uint32_t cuts = 0;

  void line(std::string_view text) {
    if (!terminal.empty() && terminal.back() != '\n') {
      terminal += '\n';
      ++cuts;
    }
    terminal += "[a] " + std::string(text) + "\n";
    record.emplace_back(text);
  }
  void record_line(std::string_view text) { record.emplace_back(text); }
};

struct Sink {
  Consoles& to;
  void line(std::string_view text) { to.line(text); }
  void record(std::string_view text) { to.record_line(text); }
  void unfinished(std::string_view text) { to.terminal += "[a] " + std::string(text); }
  void raw(std::string_view text) { to.terminal += text; }
  [[nodiscard]] std::uint32_t interruptions() const { return to.cuts; }
};

struct Vm {
  Consoles consoles;
  VmConsole console;

  void print(std::string_view text) {
    for (const char c : text) {
      console.put(static_cast<std::uint8_t>(c), Sink{consoles});
    }
  }
  void foreign_line() {
    if (!consoles.terminal.empty() && consoles.terminal.back() != '\n') {
      consoles.terminal += '\n';
      ++consoles.cuts;
    }
    consoles.terminal += "[archelon] x\n";
  }
};

}  // namespace

TEST_CASE("without a VM all goes to the shell") {
  Focus focus;
  CHECK(focus.route('v') == Target::kShell);
  CHECK(focus.route(kEscapeKey) == Target::kShell);
}

TEST_CASE("the escape key goes to the shell and back; twice, it is the VM's") {
  Focus focus;
  focus.go_to_vm();
  CHECK(focus.route('x') == Target::kVm);
  CHECK(focus.route(kEscapeKey) == Target::kEnterShell);
  CHECK(focus.route('v') == Target::kShell);
  CHECK(focus.route(kEscapeKey) == Target::kEnterVm);
  CHECK(focus.route(kEscapeKey) == Target::kEnterShell);
  CHECK(focus.route(kEscapeKey) == Target::kEnterVmAndSend);
  CHECK(focus.route('y') == Target::kVm);
  CHECK(focus.on_vm());
  focus.forget_vm();
  CHECK_FALSE(focus.on_vm());
  CHECK(focus.route(kEscapeKey) == Target::kShell);
}

TEST_CASE("lines come whole, with the VM's name, on every console") {
  Vm vm;
  vm.print("one\r\ntw");
  CHECK(vm.consoles.terminal == "[a] one\n");
  vm.foreign_line();
  vm.print("o\n\n");
  CHECK(vm.consoles.terminal == "[a] one\n[archelon] x\n[a] two\n[a] \n");
  CHECK(vm.consoles.record == std::vector<std::string>{"one", "two", ""});
}

TEST_CASE("a prompt is shown unfinished and grows into its line") {
  Vm vm;
  vm.print("login: ");
  vm.console.show_unfinished(Sink{vm.consoles});
  vm.console.show_unfinished(Sink{vm.consoles});
  CHECK(vm.consoles.terminal == "[a] login: ");
  CHECK(vm.consoles.record.empty());
  vm.print("root\nnext\n");
  CHECK(vm.consoles.terminal == "[a] login: root\n[a] next\n");
  CHECK(vm.consoles.record == std::vector<std::string>{"login: root", "next"});
}

TEST_CASE("a prompt that another line cut is shown again as a whole") {
  Vm vm;
  vm.print("login: ");
  vm.console.show_unfinished(Sink{vm.consoles});
  vm.foreign_line();
  vm.print("root\n");
  CHECK(vm.consoles.terminal == "[a] login: \n[archelon] x\n[a] login: root\n");
}

TEST_CASE("to a user who types, the VM's bytes come as they are") {
  Vm vm;
  vm.print("# ");
  vm.console.go_raw(Sink{vm.consoles});
  CHECK(vm.console.is_raw());
  vm.print("ls\x1b[J\b\r\nbin\r\n# ");
  CHECK(vm.consoles.terminal == "# ls\x1b[J\b\r\nbin\r\n# ");
  CHECK(vm.consoles.record == std::vector<std::string>{"# ls\x1b[J.", "bin"});
  vm.console.go_by_lines();
  vm.print("exit\n");
  CHECK(vm.consoles.terminal.ends_with("# \n[a] # exit\n"));
}

TEST_CASE("what was in sight is not shown twice when the user begins to type") {
  Vm vm;
  vm.print("login: ");
  vm.console.show_unfinished(Sink{vm.consoles});
  vm.console.go_raw(Sink{vm.consoles});
  CHECK(vm.consoles.terminal == "[a] login: ");
}

TEST_CASE("what a VM left unfinished is printed at its end") {
  Vm vm;
  vm.print("bye");
  vm.console.flush(Sink{vm.consoles});
  vm.console.flush(Sink{vm.consoles});
  CHECK(vm.consoles.record == std::vector<std::string>{"bye"});
}

TEST_CASE("an endless line comes in pieces") {
  Vm vm;
  vm.print(std::string(450, 'x') + "\n");
  REQUIRE(vm.consoles.record.size() == 3);
  CHECK(vm.consoles.record[0] == std::string(200, 'x'));
  CHECK(vm.consoles.record[2] == std::string(50, 'x'));
}
