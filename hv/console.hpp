#pragma once

#include <string_view>

#include "hv/base/log.hpp"

namespace archelon::hv {

// Brings the consoles up and makes them the log's sink.
void console_init();

// Writes `[archelon] LINE` to every console.
void console_write_line(std::string_view line);

// As console_write_line, but for a panic: neither waits for a lock nor needs the log.
void console_panic_line(std::string_view line);

// Waits, bounded, until what was written has left.
void console_flush();

}  // namespace archelon::hv
