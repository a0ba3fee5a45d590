#include "hv/console.hpp"

#include <span>

#include "drivers/hw/debugcon.hpp"
#include "drivers/hw/uart16550.hpp"

namespace archelon::hv {
namespace {

constinit drivers::Uart16550 g_com1;
constinit drivers::Debugcon g_debugcon;

void put(std::string_view text) {
  g_debugcon.write(text);
  std::span<const char> left(text);
  for (unsigned tries = 0; !left.empty() && tries < 1'000'000; ++tries) {
    left = left.subspan(g_com1.write_some(left));
  }
}

void sink(LogLevel level, std::string_view line) {
  put("[archelon] ");
  if (level == LogLevel::kError) {
    put("error: ");
  } else if (level == LogLevel::kWarning) {
    put("warning: ");
  }
  put(line);
  put("\r\n");
}

}  // namespace

void console_init() {
  g_debugcon.init();
  g_com1.init(drivers::kComPorts[0]);
  set_log_sink(sink);
}

void console_write_line(std::string_view line) {
  sink(LogLevel::kInfo, line);
}

void console_panic_line(std::string_view line) {
  sink(LogLevel::kInfo, line);
}

void console_flush() {}

}  // namespace archelon::hv
