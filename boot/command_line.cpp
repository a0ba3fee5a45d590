#include "boot/command_line.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace archelon::boot {
namespace {

template <class T>
using Name = std::pair<std::string_view, T>;

constexpr std::array<Name<Console>, kConsoleKinds> kConsoles = {{
    {"com1", Console::kCom1},
    {"com2", Console::kCom2},
    {"com3", Console::kCom3},
    {"com4", Console::kCom4},
    {"pci-serial", Console::kPciSerial},
    {"debugcon", Console::kDebugcon},
    {"vga", Console::kVga},
}};
constexpr std::array<Name<LogLevel>, 4> kLogLevels = {{
    {"error", LogLevel::kError},
    {"warning", LogLevel::kWarning},
    {"info", LogLevel::kInfo},
    {"debug", LogLevel::kDebug},
}};
constexpr std::array<Name<OnEnd>, 3> kOnEnds = {{
    {"shell", OnEnd::kShell},
    {"poweroff", OnEnd::kPowerOff},
    {"reboot", OnEnd::kReboot},
}};

template <class T, std::size_t N>
std::optional<T> by_name(const std::array<Name<T>, N>& names, std::string_view text) {
  for (const auto& [name, value] : names) {
    if (name == text) {
      return value;
    }
  }
  return std::nullopt;
}

// Cuts the part before the first `separator` off the front of `rest`.
std::string_view cut(std::string_view& rest, char separator) {
  std::size_t size = 0;
  while (size < rest.size() && rest[size] != separator) {
    ++size;
  }
  const std::string_view part(rest.data(), size);
  rest.remove_prefix(size < rest.size() ? size + 1 : size);
  return part;
}

// Sets `option` where the value was understood; else answers false.
template <class T>
bool set(std::optional<T>& option, const std::optional<T>& value) {
  if (value) {
    option = value;
  }
  return value.has_value();
}

}  // namespace

std::optional<ConsoleList> parse_consoles(std::string_view text) {
  ConsoleList list;
  do {
    const auto console = by_name(kConsoles, cut(text, ','));
    if (!console) {
      return std::nullopt;
    }
    if (std::find(list.begin(), list.end(), *console) == list.end()) {
      static_cast<void>(list.push_back(*console));  // has room for each console once
    }
  } while (!text.empty());
  return list;
}

std::optional<LogLevel> parse_log_level(std::string_view text) {
  return by_name(kLogLevels, text);
}

std::optional<OnEnd> parse_on_end(std::string_view text) {
  return by_name(kOnEnds, text);
}

Options parse_command_line(std::string_view text) {
  Options options;
  while (!text.empty()) {
    const std::string_view argument = cut(text, ' ');
    if (argument.empty()) {
      continue;
    }
    std::string_view value = argument;
    const std::string_view key = cut(value, '=');
    std::string_view expected;
    if (key == "console") {
      if (!set(options.consoles, parse_consoles(value))) {
        expected = "console= takes a list of com1 com2 com3 com4 pci-serial debugcon vga";
      }
    } else if (key == "loglevel") {
      if (!set(options.log_level, parse_log_level(value))) {
        expected = "loglevel= takes error, warning, info or debug";
      }
    } else if (key == "on-end") {
      if (!set(options.on_end, parse_on_end(value))) {
        expected = "on-end= takes shell, poweroff or reboot";
      }
    } else {
      expected = "unknown option; known are console=, loglevel= and on-end=";
    }
    if (!expected.empty()) {
      static_cast<void>(options.problems.push_back({argument, expected}));  // enough is enough
    }
  }
  return options;
}

ConsoleList default_consoles() {
  return {Console::kCom1, Console::kVga};
}

std::string_view to_string(Console console) {
  return kConsoles[static_cast<std::size_t>(console)].first;
}

}  // namespace archelon::boot
