// Fills its memory with a pattern and looks, again and again, whether it stays: a neighbour's
// attack on foreign memory shows here.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

namespace {

constexpr std::uint64_t kBegin = 8ULL << 20;
constexpr std::uint64_t kStride = 512;

std::uint64_t pattern(std::uint64_t address) {
  return address * 0x9e3779b97f4a7c15;
}

}  // namespace

GUEST_MAIN {
  const std::uint64_t end = ram_end();
  for (std::uint64_t a = kBegin; a < end; a += kStride) volatile_write(a, pattern(a));
  line("filled");
  const std::uint64_t passes = command_line_number("passes", 20);
  for (std::uint64_t pass = 0; pass < passes; ++pass) {
    for (std::uint64_t a = kBegin; a < end; a += kStride) {
      if (volatile_read<std::uint64_t>(a) != pattern(a)) {
        fail("at ", hex(a), ": ", hex(volatile_read<std::uint64_t>(a)));
      }
    }
  }
  line("intact after ", passes, " passes");
  return 0;
}
