#include "hv/shell/command.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "tests/unit/shell/text_output.hpp"

using namespace archelon::shell;

namespace {

std::optional<Command> parsed(std::string_view line) {
  TextOutput text;
  const auto command = parse_command(line, text.out());
  CHECK(text.text.empty() == command.has_value());
  return command;
}

std::string error_of(std::string_view line) {
  TextOutput text;
  CHECK_FALSE(parse_command(line, text.out()));
  return text.text;
}

}  // namespace

TEST_CASE("each command is known by its name and takes its arguments") {
  for (std::size_t i = 0; i < kCommandCount; ++i) {
    const auto command = parsed(command_names()[i]);
    REQUIRE(command);
    CHECK(static_cast<std::size_t>(command->id) == i);
  }
  CHECK(parsed("  exits   nest ")->vm == "nest");
  CHECK(parsed("exits")->vm.empty());
  CHECK(parsed("help vmcs")->topic == CommandId::kVmcs);
  CHECK(parsed("log 5")->lines == 5);
  CHECK(parsed("log")->lines == kDefaultLogLines);
}

TEST_CASE("vmcs tells level, VM and vCPU apart") {
  CHECK(parsed("vmcs")->level == VmcsLevel::kRunning);
  CHECK(parsed("vmcs 12")->level == VmcsLevel::k12);
  const auto all = parsed("vmcs 02 nest 3");
  REQUIRE(all);
  CHECK(all->level == VmcsLevel::k02);
  CHECK(all->vm == "nest");
  CHECK(all->vcpu == 3);
  CHECK(parsed("vmcs nest 1")->vcpu == 1);
  CHECK(parsed("vmcs 01 01")->vm == "01");
  CHECK(error_of("vmcs nest x") == "usage: vmcs [01|12|02] [VM [VCPU]]\n");
  CHECK(error_of("vmcs nest 1 2") == "usage: vmcs [01|12|02] [VM [VCPU]]\n");
  CHECK(error_of("vmcs nest 65536") == "usage: vmcs [01|12|02] [VM [VCPU]]\n");
}

TEST_CASE("a mistake is one line that says what would be right") {
  CHECK(error_of("exit") == "unknown command 'exit'; did you mean 'exits'?\n");
  CHECK(error_of("powerof") == "unknown command 'powerof'; did you mean 'poweroff'?\n");
  CHECK(error_of("qqqqqq") == "unknown command 'qqqqqq'; `help` lists them\n");
  CHECK(error_of("help nothing-like-it") ==
        "unknown command 'nothing-like-it'; `help` lists them\n");
  CHECK(error_of("reboot now") == "usage: reboot\n");
  CHECK(error_of("log many") == "usage: log [LINES]\n");
}

TEST_CASE("help names every command, and each has a text of its own") {
  TextOutput all;
  print_help(std::nullopt, all.out());
  for (std::size_t i = 0; i < kCommandCount; ++i) {
    CHECK(all.has("  " + std::string(command_names()[i]) + " "));
    TextOutput one;
    print_help(static_cast<CommandId>(i), one.out());
    CHECK(one.text.starts_with(command_names()[i]));
    CHECK(one.text.find("\n  ") != std::string::npos);
  }
}

TEST_CASE("a VM is chosen by name, or is the only one") {
  constexpr std::array<std::string_view, 2> kTwo = {"debian", "xen"};
  TextOutput text;
  CHECK(choose_vm("", std::span(kTwo).first(1), text.out()) == 0);
  CHECK(choose_vm("xen", kTwo, text.out()) == 1);
  CHECK(text.text.empty());
  CHECK_FALSE(choose_vm("", kTwo, text.out()));
  CHECK(text.text == "which VM? name one of debian xen\n");
  text.text.clear();
  CHECK_FALSE(choose_vm("zen", kTwo, text.out()));
  CHECK(text.text == "there is no VM 'zen'; did you mean 'xen'?\n");
  text.text.clear();
  CHECK_FALSE(choose_vm("xen", {}, text.out()));
  CHECK(text.text == "there is no VM\n");
}

TEST_CASE("any line gives a command or one line of text") {
  std::mt19937 random(2);
  constexpr std::string_view kWords[] = {"vmcs", "12", " ", "  ", "exits", "x", "\t", "log", "99"};
  for (int i = 0; i < 20'000; ++i) {
    std::string line = "v";
    for (auto n = random() % 6; n != 0; --n) {
      line += kWords[random() % std::size(kWords)];
    }
    TextOutput text;
    const auto command = parse_command(line, text.out());
    REQUIRE(command.has_value() == text.text.empty());
    REQUIRE((command || std::count(text.text.begin(), text.text.end(), '\n') == 1));
  }
}
