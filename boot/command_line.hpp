#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "hv/base/log.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::boot {

enum class Console : std::uint8_t { kCom1, kCom2, kCom3, kCom4, kPciSerial, kDebugcon, kVga };
inline constexpr std::size_t kConsoleKinds = 7;
using ConsoleList = StaticVector<Console, kConsoleKinds>;

// What L0 does when every VM has ended.
enum class OnEnd : std::uint8_t { kShell, kPowerOff, kReboot };

// An argument that was not understood, and what would have been.
struct CommandLineProblem {
  std::string_view argument;
  std::string_view text;
};

// A value that was not given is empty, so that the configuration file's may apply; the
// defaults below hold where neither speaks.
struct Options {
  std::optional<ConsoleList> consoles;
  std::optional<LogLevel> log_level;
  std::optional<OnEnd> on_end;
  StaticVector<CommandLineProblem, 8> problems;
};

// The values of the keys `console` (a comma list, each console once), `loglevel` and `on-end`, on
// the command line and in the configuration file. Nothing where the text is not one of them.
[[nodiscard]] std::optional<ConsoleList> parse_consoles(std::string_view text);
[[nodiscard]] std::optional<LogLevel> parse_log_level(std::string_view text);
[[nodiscard]] std::optional<OnEnd> parse_on_end(std::string_view text);

// Reads space-separated key=value arguments. What is not understood is reported in
// `problems` and has no effect; where a key is repeated the last one counts.
[[nodiscard]] Options parse_command_line(std::string_view text);

// COM1 and the screen, information, the shell.
[[nodiscard]] ConsoleList default_consoles();
inline constexpr LogLevel kDefaultLogLevel = LogLevel::kInfo;
inline constexpr OnEnd kDefaultOnEnd = OnEnd::kShell;

[[nodiscard]] std::string_view to_string(Console console);

}  // namespace archelon::boot
