#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace archelon {

// The latest lines of a log, kept in N bytes: new ones overwrite the oldest. No locking inside.
template <std::size_t N>
class LogRing {
 public:
  // Keeps `line`, cut to half of the ring; a line end in it would make it two.
  void append(std::string_view line) {
    for (const char c : line.substr(0, N / 2)) {
      put(c);
    }
    put('\n');
  }

  // Where reading starts: the oldest line that is still whole.
  [[nodiscard]] std::uint64_t begin() const {
    std::uint64_t at = end_ < N ? 0 : end_ - N;
    // The ring starts within a line unless the character before its start was a line end, which is
    // overwritten; so a full ring gives up its first line.
    if (at != 0) {
      while (at < end_ && get(at) != '\n') {
        ++at;
      }
      ++at;
    }
    return at < end_ ? at : end_;
  }

  // Copies the line at `cursor` (from begin(), or as the last call left it) to `out`, cut where
  // that ends, and moves `cursor` to the next. A cursor whose line was overwritten goes on at
  // begin(). Nothing at the end of the log; the same cursor sees lines that come later.
  [[nodiscard]] std::optional<std::string_view> read_line(std::uint64_t& cursor,
                                                          std::span<char> out) const {
    const std::uint64_t first = begin();
    if (cursor < first || cursor > end_) {
      cursor = first;
    }
    if (cursor == end_) {
      return std::nullopt;
    }
    std::size_t used = 0;
    for (; cursor < end_; ++cursor) {
      const char c = get(cursor);
      if (c == '\n') {
        ++cursor;
        break;
      }
      if (used < out.size()) {
        out[used++] = c;
      }
    }
    return std::string_view(out.data(), used);
  }

 private:
  void put(char c) {
    bytes_[end_ % N] = c;
    ++end_;
  }
  [[nodiscard]] char get(std::uint64_t at) const { return bytes_[at % N]; }

  std::array<char, N> bytes_{};
  std::uint64_t end_ = 0;  // characters ever written
};

}  // namespace archelon
