// A guest that resets its machine; the command line's word says how: cf9 (default), i8042 or
// port92.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

namespace {

// Registers that the CPU keeps while L0 runs: a reset must not leave them to the next life.
void check_and_spoil() {
  std::uint64_t dr0 = 0;
  std::uint64_t dr6 = 0;
  asm volatile("mov %%dr0, %0; mov %%dr6, %1" : "=r"(dr0), "=r"(dr6));
  const bool clean = dr0 == 0 && (dr6 & 0xf) == 0 && read_cr2() == 0 && rdmsr(msr::kStar) == 0 &&
                     rdmsr(msr::kKernelGsBase) == 0;
  line(clean ? "registers as after a reset" : "registers of a former life");
  asm volatile("mov %0, %%dr0; mov %1, %%dr6" : : "r"(address_of(&dr0)), "r"(0xffff0ff3UL));
  write_cr2(0x1234);
  wrmsr(msr::kStar, 0x5678);
  wrmsr(msr::kKernelGsBase, 0x9abc);
}

}  // namespace

GUEST_MAIN {
  check_and_spoil();
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
