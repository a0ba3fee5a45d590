#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hv/shell/output.hpp"

namespace archelon::shell {

enum class CommandId : std::uint8_t {
  kHelp,
  kVms,
  kConsole,
  kExits,
  kVmcs,
  kCaps,
  kMem,
  kLog,
  kVersion,
  kReboot,
  kPowerOff,
};
inline constexpr std::size_t kCommandCount = 11;

enum class VmcsLevel : std::uint8_t {
  kRunning,  // VMCS02 while an L2 runs, else VMCS01
  k01,
  k12,
  k02,
};

// A command line that was understood. The names point into it; whether there is such a VM is not
// known here.
struct Command {
  CommandId id = CommandId::kHelp;
  std::optional<CommandId> topic;  // help
  std::string_view vm;             // console, exits, vmcs; empty where none was named
  unsigned vcpu = 0;               // vmcs
  VmcsLevel level = VmcsLevel::kRunning;
  std::uint64_t lines = 0;  // log
};

inline constexpr std::uint64_t kDefaultLogLines = 40;

// Understands a line that is not blank; or says in one line what is wrong with it.
[[nodiscard]] std::optional<Command> parse_command(std::string_view line, const Output& out);

// The names of all commands, in the order of CommandId.
[[nodiscard]] std::span<const std::string_view> command_names();

// The list of all commands, or one command's own text.
void print_help(std::optional<CommandId> topic, const Output& out);

// The place of `name` in `names`, or of the only one where `name` is empty. Where there is none or
// the choice is open, says so in one line.
[[nodiscard]] std::optional<std::size_t> choose_vm(std::string_view name,
                                                   std::span<const std::string_view> names,
                                                   const Output& out);

}  // namespace archelon::shell
