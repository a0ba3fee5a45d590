#pragma once

#include <cstdint>
#include <functional>

#include "hv/arch/registers.hpp"
#include "vmx/route.hpp"

namespace archelon::test {

// L2's registers and L1's bitmaps, as the routing of an exit asks for them.
struct FakeRoute {
  arch::Gprs gprs;
  bool is_64bit = true;
  std::function<bool(std::uint32_t, bool)> msr = [](std::uint32_t, bool) { return false; };
  std::function<bool(std::uint16_t, unsigned)> io = [](std::uint16_t, unsigned) { return false; };

  std::uint64_t gpr(arch::Gpr r) { return gprs[r]; }
  bool in_64bit_mode() { return is_64bit; }
  bool msr_intercepted(std::uint32_t index, bool write) { return msr(index, write); }
  bool io_intercepted(std::uint16_t port, unsigned size) { return io(port, size); }
};
static_assert(vmx::RouteContext<FakeRoute>);

}  // namespace archelon::test
