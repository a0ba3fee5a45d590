// A guest that never gives its CPU back: interrupts off, one jump.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

GUEST_MAIN {
  line("spinning");
  cli();
  asm volatile("1: jmp 1b");
  __builtin_unreachable();
}
