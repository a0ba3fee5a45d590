#pragma once

#include <cstdint>

namespace archelon::hv {

// The boot CPU's turn at the consoles: takes what was typed and gives it to the shell or to a VM,
// and sends what is queued. Answers within how many nanoseconds it wants its next turn. Nothing on
// other CPUs.
[[nodiscard]] std::uint64_t poll_monitor();

}  // namespace archelon::hv
