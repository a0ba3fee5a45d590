#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace archelon {

[[nodiscard]] std::string_view trim(std::string_view text);

// The first word of `text` and what follows it, both trimmed.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_word(std::string_view text);

// The part of `text` before the first `separator`, trimmed, and the rest after it; the second is
// empty where there is none.
[[nodiscard]] std::pair<std::string_view, std::string_view> split_at(std::string_view text,
                                                                     char separator);

// A decimal or 0x hexadecimal number and nothing else; nothing when it is none or exceeds 64 bits.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

// A number of bytes with an optional suffix K, M, G or T (powers of 1024).
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);

// The candidate that `word` is most likely a misspelling of; empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       std::span<const std::string_view> candidates);

}  // namespace archelon
