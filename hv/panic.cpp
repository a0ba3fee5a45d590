#include "hv/panic.hpp"

#include "hv/console.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hv {

void panic_line(std::string_view reason) {
  hw::cli();
  char line[256];
  console_write_line(format(line, "panic: {}", reason));
  console_flush();
  for (;;) {
    hw::hlt();
  }
}

}  // namespace archelon::hv
