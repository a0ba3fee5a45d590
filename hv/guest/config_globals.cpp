#include "hv/guest/config_globals.hpp"

#include "hv/guest/config_values.hpp"

namespace archelon::guest {
namespace {

template <class T>
struct Word {
  std::string_view text;
  T value;
};
constexpr Word<OnEnd> kOnEndWords[] = {
    {"shell", OnEnd::kShell}, {"poweroff", OnEnd::kPowerOff}, {"reboot", OnEnd::kReboot}};
constexpr Word<LogLevel> kLogLevelWords[] = {{"error", LogLevel::kError},
                                             {"warning", LogLevel::kWarning},
                                             {"info", LogLevel::kInfo},
                                             {"debug", LogLevel::kDebug}};
constexpr Word<Console> kConsoleWords[] = {
    {"com1", Console::kCom1},        {"com2", Console::kCom2}, {"com3", Console::kCom3},
    {"com4", Console::kCom4},        {"vga", Console::kVga},   {"pci-serial", Console::kPciSerial},
    {"debugcon", Console::kDebugcon}};

template <class T, std::size_t N>
std::optional<T> find_word(const Word<T> (&words)[N], std::string_view text) {
  for (const Word<T>& word : words) {
    if (word.text == text) {
      return word.value;
    }
  }
  return std::nullopt;
}

void set_consoles(std::string_view value, GlobalConfig& globals, std::uint32_t line,
                  ConfigErrors& errors) {
  ConsoleSet consoles;
  do {
    const auto [name, rest] = split_at(value, ',');
    const auto console = find_word(kConsoleWords, name);
    if (!console) {
      errors.add(line, "unknown console '{}'; use com1 to com4, pci-serial, debugcon or vga",
                 excerpt(name));
      return;
    }
    consoles.add(*console);
    value = rest;
  } while (!value.empty());
  globals.consoles = consoles;
}

}  // namespace

void report_unknown_key(std::uint32_t line, std::string_view key,
                        std::span<const std::string_view> keys, ConfigErrors& errors) {
  const std::string_view guess = nearest(key, keys);
  if (guess.empty()) {
    errors.add(line, "unknown key '{}'; remove it", excerpt(key));
  } else {
    errors.add(line, "unknown key '{}'; did you mean '{}'?", excerpt(key), guess);
  }
}

bool set_global(std::string_view key, std::string_view value, GlobalConfig& globals,
                std::uint32_t line, ConfigErrors& errors) {
  if (key == "on-end") {
    globals.on_end = find_word(kOnEndWords, value);
    if (!globals.on_end) {
      errors.add(line, "on-end is '{}'; use shell, poweroff or reboot", excerpt(value));
    }
  } else if (key == "loglevel") {
    globals.log_level = find_word(kLogLevelWords, value);
    if (!globals.log_level) {
      errors.add(line, "loglevel is '{}'; use error, warning, info or debug", excerpt(value));
    }
  } else if (key == "console") {
    set_consoles(value, globals, line, errors);
  } else {
    return false;
  }
  return true;
}

void parse_command_line(std::string_view text, GlobalConfig& globals, ConfigErrors& errors) {
  while (!(text = trim(text)).empty()) {
    const auto [word, rest] = split_word(text);
    const auto [key, value] = split_at(word, '=');
    if (!set_global(key, value, globals, 0, errors)) {
      report_unknown_key(0, key, kGlobalKeys, errors);
    }
    text = rest;
  }
}

}  // namespace archelon::guest
