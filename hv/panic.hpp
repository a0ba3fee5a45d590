#pragma once

#include <array>
#include <string_view>

#include "hv/base/format.hpp"
#include "hv/hw/traps.hpp"

namespace archelon::hv {

// Ends the machine: stops the other CPUs, prints this CPU's number and a backtrace and, last, the
// line `[archelon] panic: REASON` on every console, and halts. Only for broken invariants of L0's
// own; nothing a guest, the loader, firmware or the serial line can do may reach it.
[[noreturn]] void panic_line(std::string_view reason);

template <class... Args>
[[noreturn]] void panic(std::string_view pattern, const Args&... args) {
  std::array<char, 200> buffer;
  panic_line(format(buffer, pattern, args...));
}

// The same for an exception in L0 that nothing recovers: prints the registers as well.
[[noreturn]] void panic_exception(const hw::TrapFrame& frame);

}  // namespace archelon::hv
