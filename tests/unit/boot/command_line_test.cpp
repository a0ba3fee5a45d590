#include "boot/command_line.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::boot;

TEST_CASE("An empty command line sets nothing") {
  const Options o = parse_command_line("");
  CHECK_FALSE(o.consoles);
  CHECK_FALSE(o.log_level);
  CHECK_FALSE(o.on_end);
  CHECK(o.problems.empty());
  CHECK(default_consoles().size() == 2);
}

TEST_CASE("Known options, repeated spaces, the last of a key counts") {
  const Options o = parse_command_line(
      "  console=debugcon,com1,debugcon  loglevel=debug on-end=reboot "
      "on-end=poweroff ");
  CHECK(o.problems.empty());
  REQUIRE(o.consoles);
  REQUIRE(o.consoles->size() == 2);
  CHECK((*o.consoles)[0] == Console::kDebugcon);
  CHECK((*o.consoles)[1] == Console::kCom1);
  CHECK(o.log_level == LogLevel::kDebug);
  CHECK(o.on_end == OnEnd::kPowerOff);
}

TEST_CASE("What is not understood is reported and has no effect") {
  const Options o = parse_command_line(
      "console=com1,tty0 console= loglevel loglevel=DEBUG on-end=halt quiet =x console=vga");
  REQUIRE(o.problems.size() == 7);
  CHECK(o.problems[0].argument == "console=com1,tty0");
  CHECK(o.problems[3].text == "use error, warning, info or debug");
  CHECK(o.problems[5].argument == "quiet");
  CHECK(o.problems[5].text == "unknown option; known are console=, loglevel= and on-end=");
  REQUIRE(o.consoles);
  CHECK((*o.consoles)[0] == Console::kVga);
  CHECK_FALSE(o.log_level);
}

TEST_CASE("A flood of unknown options is cut") {
  CHECK(parse_command_line("a b c d e f g h i j k l m").problems.size() == 8);
}

TEST_CASE("Console names") {
  for (const auto c : {Console::kCom1, Console::kPciSerial, Console::kDebugcon, Console::kVga}) {
    const auto list = parse_consoles(to_string(c));
    REQUIRE(list);
    CHECK((*list)[0] == c);
  }
}

TEST_CASE("The command line's settings go before the configuration file's") {
  Settings command_line;
  Settings file;
  CHECK(apply_setting(command_line, "on-end", "reboot").empty());
  CHECK(apply_setting(file, "on-end", "poweroff").empty());
  CHECK(apply_setting(file, "console", "com2 , vga").empty());
  CHECK(apply_setting(file, "loglevel", "loud") == "use error, warning, info or debug");
  command_line.fill_in(file);
  CHECK(command_line.on_end == OnEnd::kReboot);
  REQUIRE(command_line.consoles);
  CHECK((*command_line.consoles)[1] == Console::kVga);
  CHECK_FALSE(command_line.log_level);
}
