#include "hv/base/log.hpp"

namespace archelon {
namespace {

constinit LogSink g_sink = nullptr;
constinit LogLevel g_level = LogLevel::kInfo;

}  // namespace

void set_log_sink(LogSink sink) { g_sink = sink; }
void set_log_level(LogLevel most_detailed) { g_level = most_detailed; }
LogLevel log_level() { return g_level; }

void log_line(LogLevel level, std::string_view line) {
  if (g_sink != nullptr) {
    g_sink(level, line);
  }
}

}  // namespace archelon
