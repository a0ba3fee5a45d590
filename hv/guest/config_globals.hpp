#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/guest/config.hpp"

namespace archelon::guest {

inline constexpr std::array<std::string_view, 3> kGlobalKeys = {"on-end", "console", "loglevel"};

// What of a value is shown in an error.
[[nodiscard]] constexpr std::string_view excerpt(std::string_view text) {
  return text.substr(0, 40);
}

void report_unknown_key(std::uint32_t line, std::string_view key,
                        std::span<const std::string_view> keys, ConfigErrors& errors);

// Sets a global key, or adds why it cannot. Answers false when `key` is none of them.
[[nodiscard]] bool set_global(std::string_view key, std::string_view value, GlobalConfig& globals,
                              std::uint32_t line, ConfigErrors& errors);

}  // namespace archelon::guest
