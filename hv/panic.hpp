#pragma once

#include <span>
#include <string_view>

#include "hv/base/format.hpp"

namespace archelon::hv {

// Ends the machine: prints `[archelon] panic: REASON` with this CPU's number and a backtrace to
// every console, stops the other CPUs and halts. Only for broken invariants of L0's own; nothing a
// guest, the loader, firmware or the serial line can do may reach it.
[[noreturn]] void panic_line(std::string_view reason);

template <class... Args>
[[noreturn]] void panic(std::string_view pattern, const Args&... args) {
  char buffer[200];
  panic_line(format(buffer, pattern, args...));
}

}  // namespace archelon::hv
