#pragma once

#include <array>
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

// L0's own settings, from its command line or the configuration file. What was not given is empty;
// the defaults below hold where neither speaks.
struct Settings {
  std::optional<ConsoleList> consoles;
  std::optional<LogLevel> log_level;
  std::optional<OnEnd> on_end;

  // Takes from `other` what is not given here.
  void fill_in(const Settings& other);
};

// The keys of the settings, on the command line and in the configuration file.
inline constexpr std::array<std::string_view, 3> kSettingKeys = {"on-end", "console", "loglevel"};

// Sets `key` of kSettingKeys. Answers what the key takes where `value` is not that, and sets
// nothing; empty where all is well.
[[nodiscard]] std::string_view apply_setting(Settings& settings, std::string_view key,
                                             std::string_view value);

struct Options : Settings {
  StaticVector<CommandLineProblem, 8> problems;
};

// A comma list, each console once; blanks around the names do not count. Nothing where the text is
// no such list.
[[nodiscard]] std::optional<ConsoleList> parse_consoles(std::string_view text);

// Reads space-separated key=value arguments. What is not understood is reported in
// `problems` and has no effect; where a key is repeated the last one counts.
[[nodiscard]] Options parse_command_line(std::string_view text);

// COM1 and the screen, information, the shell.
[[nodiscard]] ConsoleList default_consoles();
inline constexpr LogLevel kDefaultLogLevel = LogLevel::kInfo;
inline constexpr OnEnd kDefaultOnEnd = OnEnd::kShell;

[[nodiscard]] std::string_view to_string(Console console);

}  // namespace archelon::boot
