// A guest that shuts its CPU down by a triple fault.
#include <cstdint>

#include "runtime/console.hpp"

using namespace guest;

GUEST_MAIN {
  line("the next instruction is the last");
  const struct [[gnu::packed]] {
    std::uint16_t limit;
    std::uint64_t base;
  } nothing{0, 0};
  asm volatile("lidt %0; ud2" : : "m"(nothing));
  fail("went on");
}
