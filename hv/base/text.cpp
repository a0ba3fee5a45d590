#include "hv/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace archelon {
namespace {

constexpr std::size_t kLongestWord = 24;

constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::optional<unsigned> digit(char c) {
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0');
  }
  const char lower = static_cast<char>(c | 0x20);
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<unsigned>(lower - 'a') + 10;
  }
  return std::nullopt;
}

// Insertions, deletions and replacements that turn one word into the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::array<std::size_t, kLongestWord + 1> row{};
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && is_blank(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::pair<std::string_view, std::string_view> split_word(std::string_view text) {
  text = trim(text);
  const auto end = std::find_if(text.begin(), text.end(), is_blank);
  const auto length = static_cast<std::size_t>(end - text.begin());
  return {text.substr(0, length), trim(text.substr(length))};
}

std::pair<std::string_view, std::string_view> split_at(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) {
    return {trim(text), {}};
  }
  return {trim(text.substr(0, at)), text.substr(at + 1)};
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  unsigned base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  if (text.empty()) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : text) {
    const auto d = digit(c);
    if (!d || *d >= base || value > (~std::uint64_t{0} - *d) / base) {
      return std::nullopt;
    }
    value = value * base + *d;
  }
  return value;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  unsigned shift = 0;
  if (!text.empty()) {
    const std::size_t suffix =
        std::string_view("KMGT").find(static_cast<char>(text.back() & ~0x20));
    if (suffix != std::string_view::npos) {
      shift = static_cast<unsigned>(suffix + 1) * 10;
      text.remove_suffix(1);
    }
  }
  const auto number = parse_number(text);
  if (!number || *number > (~std::uint64_t{0} >> shift)) {
    return std::nullopt;
  }
  return *number << shift;
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > kLongestWord) {
    return {};
  }
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 2, 1) + 1;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() <= kLongestWord) {
      const std::size_t distance = edit_distance(word, candidate);
      if (distance < best_distance) {
        best = candidate;
        best_distance = distance;
      }
    }
  }
  return best;
}

}  // namespace archelon
