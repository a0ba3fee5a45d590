#include "hv/shell/command.hpp"

#include <algorithm>

#include "hv/base/static_vector.hpp"
#include "hv/base/text.hpp"

namespace archelon::shell {
namespace {

struct Entry {
  CommandId id;
  std::string_view arguments;
  std::size_t most_arguments;
  std::string_view summary;
  std::span<const std::string_view> details;
};

constexpr std::string_view kHelpText[] = {"help COMMAND tells more about one command."};
constexpr std::string_view kVmsText[] = {
    "For each VM its state and memory; for each of its vCPUs the CPU it runs on, what it does, and",
    "whether its L1 or an L2 runs there now."};
constexpr std::string_view kConsoleText[] = {
    "What you type then goes to the VM's serial port, and what it prints comes as it is.",
    "Ctrl-] returns to the shell; Ctrl-] twice sends one Ctrl-] to the VM."};
constexpr std::string_view kExitsText[] = {
    "VM exits since the VM was made, by level and reason. Of L2's exits, `reflected` went on to L1",
    "and `absorbed` were handled by Archelon unseen. Then how often L1 entered an L2, and how "
    "often",
    "that failed. Without VM: all of them."};
constexpr std::string_view kVmcsText[] = {
    "The fields of a vCPU's VMCS, decoded. 01: Archelon's for L1. 12: L1's for L2, as L1 would "
    "read",
    "it. 02: what the CPU runs L2 with. Without a number: the one that is in use now. The vCPU "
    "goes",
    "on running; its fields are those of one moment."};
constexpr std::string_view kCapsText[] = {
    "What VT-x of this CPU lacks, and each control that it has: whether L1 is offered it, and how",
    "or why not."};
constexpr std::string_view kMemText[] = {
    "Physical memory that Archelon hands out, in 4-KiB frames."};
constexpr std::string_view kLogText[] = {
    "The last lines of Archelon's log (40 where no number is given)."};
constexpr std::string_view kVersionText[] = {"The version and how it was built."};
constexpr std::string_view kRebootText[] = {"Starts the machine over at once; VMs are not asked."};
constexpr std::string_view kPowerOffText[] = {"Turns the machine off at once; VMs are not asked."};

constexpr std::array<std::string_view, kCommandCount> kNames = {
    "help", "vms", "console", "exits",  "vmcs",    "caps",
    "mem",  "log", "version", "reboot", "poweroff"};

constexpr std::array<Entry, kCommandCount> kEntries = {{
    {CommandId::kHelp, "[COMMAND]", 1, "what the commands are", kHelpText},
    {CommandId::kVms, "", 0, "the VMs and their vCPUs", kVmsText},
    {CommandId::kConsole, "[VM]", 1, "go to a VM's console; Ctrl-] returns", kConsoleText},
    {CommandId::kExits, "[VM]", 1, "VM exits by level and reason", kExitsText},
    {CommandId::kVmcs, "[01|12|02] [VM [VCPU]]", 3, "the fields of a VMCS", kVmcsText},
    {CommandId::kCaps, "", 0, "what VT-x can do here, and what L1 gets", kCapsText},
    {CommandId::kMem, "", 0, "physical memory in use", kMemText},
    {CommandId::kLog, "[LINES]", 1, "Archelon's log", kLogText},
    {CommandId::kVersion, "", 0, "the version", kVersionText},
    {CommandId::kReboot, "", 0, "start the machine over", kRebootText},
    {CommandId::kPowerOff, "", 0, "turn the machine off", kPowerOffText},
}};
static_assert([] {
  for (std::size_t i = 0; i < kCommandCount; ++i) {
    if (static_cast<std::size_t>(kEntries[i].id) != i) {
      return false;
    }
  }
  return true;
}());

const Entry& entry_of(CommandId id) {
  return kEntries[static_cast<std::size_t>(id)];
}
std::string_view name_of(CommandId id) {
  return kNames[static_cast<std::size_t>(id)];
}

// "vmcs [01|12|02] [VM [VCPU]]".
void print_synopsis(CommandId id, const Output& out) {
  out.text(name_of(id));
  if (!entry_of(id).arguments.empty()) {
    out.text(" ");
    out.text(entry_of(id).arguments);
  }
}

void print_usage(CommandId id, const Output& out) {
  out.text("usage: ");
  print_synopsis(id, out);
  out.text("\n");
}

std::optional<CommandId> find_command(std::string_view name, const Output& out) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) {
    return static_cast<CommandId>(found - kNames.begin());
  }
  const std::string_view guess = nearest(name, kNames);
  if (guess.empty()) {
    out.line("unknown command '{}'; `help` lists them", name);
  } else {
    out.line("unknown command '{}'; did you mean '{}'?", name, guess);
  }
  return std::nullopt;
}

// One more than any command takes is enough to see that there are too many.
using Words = StaticVector<std::string_view, 4>;

std::optional<VmcsLevel> parse_level(std::string_view word) {
  if (word == "01") {
    return VmcsLevel::k01;
  }
  if (word == "12") {
    return VmcsLevel::k12;
  }
  if (word == "02") {
    return VmcsLevel::k02;
  }
  return std::nullopt;
}

bool parse_vmcs(const Words& words, Command& command) {
  std::size_t i = 0;
  if (i < words.size()) {
    if (const auto level = parse_level(words[i])) {
      command.level = *level;
      ++i;
    }
  }
  if (i < words.size()) {
    command.vm = words[i++];
  }
  if (i < words.size()) {
    const auto number = parse_number(words[i++]);
    if (!number || *number > 0xffff) {
      return false;
    }
    command.vcpu = static_cast<unsigned>(*number);
  }
  return i == words.size();
}

bool parse_arguments(const Words& words, Command& command, const Output& out) {
  const bool any = !words.empty();
  switch (command.id) {
    case CommandId::kHelp:
      if (any) {
        command.topic = find_command(words[0], out);
        return command.topic.has_value();
      }
      return true;
    case CommandId::kConsole:
    case CommandId::kExits:
      command.vm = any ? words[0] : std::string_view();
      return true;
    case CommandId::kVmcs:
      if (parse_vmcs(words, command)) {
        return true;
      }
      break;
    case CommandId::kLog: {
      const auto lines = any ? parse_number(words[0]) : kDefaultLogLines;
      command.lines = lines.value_or(0);
      if (lines) {
        return true;
      }
      break;
    }
    default:
      return true;
  }
  print_usage(command.id, out);
  return false;
}

}  // namespace

std::optional<Command> parse_command(std::string_view line, const Output& out) {
  const auto [name, rest] = split_word(trim(line));
  const auto id = find_command(name, out);
  if (!id) {
    return std::nullopt;
  }
  Words words;
  for (std::string_view left = rest; !left.empty() && !words.full();) {
    const auto [word, more] = split_word(left);
    static_cast<void>(words.push_back(word));
    left = more;
  }
  Command command;
  command.id = *id;
  if (words.size() > entry_of(*id).most_arguments) {
    print_usage(*id, out);
    return std::nullopt;
  }
  return parse_arguments(words, command, out) ? std::optional(command) : std::nullopt;
}

std::span<const std::string_view> command_names() {
  return kNames;
}

void print_help(std::optional<CommandId> topic, const Output& out) {
  if (topic) {
    const Entry& entry = entry_of(*topic);
    print_synopsis(*topic, out);
    out.line(": {}", entry.summary);
    for (const std::string_view line : entry.details) {
      out.line("  {}", line);
    }
    return;
  }
  for (const Entry& entry : kEntries) {
    out.line("  {:8} {:22} {}", name_of(entry.id), entry.arguments, entry.summary);
  }
  out.line(
      "Tab completes; the arrow keys recall and edit; Ctrl-] goes to a VM's console and back.");
}

std::optional<std::size_t> choose_vm(std::string_view name, std::span<const std::string_view> names,
                                     const Output& out) {
  if (names.empty()) {
    out.line("there is no VM");
    return std::nullopt;
  }
  if (name.empty() && names.size() == 1) {
    return 0;
  }
  const auto found = std::find(names.begin(), names.end(), name);
  if (found != names.end()) {
    return static_cast<std::size_t>(found - names.begin());
  }
  if (name.empty()) {
    out.text("which VM? name one of");
    for (const std::string_view known : names) {
      out.text(" ");
      out.text(known);
    }
    out.text("\n");
    return std::nullopt;
  }
  const std::string_view guess = nearest(name, names);
  out.line("there is no VM '{}'; did you mean '{}'?", name, guess.empty() ? names[0] : guess);
  return std::nullopt;
}

}  // namespace archelon::shell
