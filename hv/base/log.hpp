#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hv/base/format.hpp"

namespace archelon {

enum class LogLevel : std::uint8_t { kError, kWarning, kInfo, kDebug };

// Where finished lines go (without a line end). The kernel installs the console and the log ring;
// the host tests install a recorder. Until then lines are dropped.
using LogSink = void (*)(LogLevel level, std::string_view line);
void set_log_sink(LogSink sink);
void set_log_level(LogLevel most_detailed);
[[nodiscard]] LogLevel log_level();
void log_line(LogLevel level, std::string_view line);

inline constexpr std::size_t kLogLineSize = 256;

template <class... Args>
void log(LogLevel level, std::string_view pattern, const Args&... args) {
  if (level > log_level()) {
    return;
  }
  std::array<char, kLogLineSize> buffer;
  log_line(level, format(buffer, pattern, args...));
}

template <class... Args>
void log_error(std::string_view pattern, const Args&... args) {
  log(LogLevel::kError, pattern, args...);
}
template <class... Args>
void log_warning(std::string_view pattern, const Args&... args) {
  log(LogLevel::kWarning, pattern, args...);
}
template <class... Args>
void log_info(std::string_view pattern, const Args&... args) {
  log(LogLevel::kInfo, pattern, args...);
}
template <class... Args>
void log_debug(std::string_view pattern, const Args&... args) {
  log(LogLevel::kDebug, pattern, args...);
}

}  // namespace archelon
