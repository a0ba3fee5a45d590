// A guest that resets its machine; the command line's word says how: cf9 (default), i8042 or
// port92.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

GUEST_MAIN {
  if (command_line_has("i8042")) {
    line("reset by the i8042");
    outb(0x64, 0xfe);
  } else if (command_line_has("port92")) {
    line("reset by port 0x92");
    outb(0x92, static_cast<std::uint8_t>(inb(0x92) & ~1));
    outb(0x92, static_cast<std::uint8_t>(inb(0x92) | 1));
  } else {
    line("reset by port 0xcf9");
    outb(0xcf9, 2);
    outb(0xcf9, 6);
  }
  for (unsigned i = 0; i < 1000000; ++i) pause();
  fail("went on");
}
