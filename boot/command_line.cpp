#include "boot/command_line.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "hv/base/assert.hpp"
#include "hv/base/text.hpp"

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

// Sets `option` where the value was understood; else answers `expected`.
template <class T>
std::string_view set(std::optional<T>& option, const std::optional<T>& value,
                     std::string_view expected) {
  if (!value) {
    return expected;
  }
  option = value;
  return {};
}

}  // namespace

void Settings::fill_in(const Settings& other) {
  consoles = consoles ? consoles : other.consoles;
  log_level = log_level ? log_level : other.log_level;
  on_end = on_end ? on_end : other.on_end;
}

std::string_view apply_setting(Settings& settings, std::string_view key, std::string_view value) {
  if (key == "console") {
    return set(settings.consoles, parse_consoles(value),
               "use a list of com1 to com4, pci-serial, debugcon and vga");
  }
  if (key == "loglevel") {
    return set(settings.log_level, by_name(kLogLevels, value), "use error, warning, info or debug");
  }
  ARCHELON_ASSERT(key == "on-end");
  return set(settings.on_end, by_name(kOnEnds, value), "use shell, poweroff or reboot");
}

std::optional<ConsoleList> parse_consoles(std::string_view text) {
  ConsoleList list;
  do {
    const auto console = by_name(kConsoles, trim(cut(text, ',')));
    if (!console) {
      return std::nullopt;
    }
    if (std::find(list.begin(), list.end(), *console) == list.end()) {
      static_cast<void>(list.push_back(*console));  // has room for each console once
    }
  } while (!text.empty());
  return list;
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
    const bool known =
        std::find(kSettingKeys.begin(), kSettingKeys.end(), key) != kSettingKeys.end();
    const std::string_view problem =
        known ? apply_setting(options, key, value)
              : "unknown option; known are console=, loglevel= and on-end=";
    if (!problem.empty()) {
      static_cast<void>(options.problems.push_back({argument, problem}));  // enough is enough
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
