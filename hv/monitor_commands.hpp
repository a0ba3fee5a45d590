#pragma once

#include <string_view>

#include "hv/base/static_vector.hpp"
#include "hv/shell/command.hpp"
#include "hv/shell/output.hpp"
#include "hv/system.hpp"

namespace archelon::hv {

using VmNames = StaticVector<std::string_view, kMaxVms>;
[[nodiscard]] VmNames vm_names();

// The VM that a command means; says so where there is none.
[[nodiscard]] Vm* choose_vm(std::string_view name, const shell::Output& out);

// What became of a command.
enum class CommandResult : std::uint8_t {
  kDone,
  kPending,  // finish_command() until it answers true
};

// Does what the command says, but for `console`, which is the caller's.
[[nodiscard]] CommandResult run_command(const shell::Command& command, const shell::Output& out);
[[nodiscard]] bool finish_command(const shell::Output& out);

}  // namespace archelon::hv
