#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "hv/shell/output.hpp"

namespace archelon::shell {

// Prints words separated by commas, on as many indented lines as they need.
class WordList {
 public:
  explicit WordList(const Output& out) : out_(out) {}

  template <class... Args>
  void add(std::string_view pattern, const Args&... args) {
    std::array<char, kWidth> buffer;
    append(format(buffer, pattern, args...));
  }
  // After the last word.
  void finish() {
    if (used_ != 0) {
      out_.line("      {}", std::string_view(line_.data(), used_));
    }
    used_ = 0;
  }

 private:
  static constexpr std::size_t kWidth = 90;

  void append(std::string_view word) {
    constexpr std::string_view kSeparator = ", ";
    if (used_ != 0) {
      // The separator stays at the line's end where the next word begins another one.
      if (used_ + kSeparator.size() + word.size() + 1 > kWidth) {
        put(",");
        finish();
      } else {
        put(kSeparator);
      }
    }
    put(word);
  }
  void put(std::string_view text) {
    for (const char c : text.substr(0, kWidth - used_)) {
      line_[used_++] = c;
    }
  }

  const Output& out_;
  std::array<char, kWidth> line_{};
  std::size_t used_ = 0;
};

}  // namespace archelon::shell
