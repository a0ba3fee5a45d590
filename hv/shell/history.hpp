#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace archelon::shell {

struct Line {
  static constexpr std::size_t kSize = 69;

  std::array<char, kSize> text{};
  std::size_t size = 0;

  [[nodiscard]] std::string_view view() const { return {text.data(), size}; }
};

// The last lines that were entered, and the one being edited while older ones are looked at.
class History {
 public:
  static constexpr std::size_t kLines = 16;

  // Keeps an entered line, unless it is empty or the same as the one before.
  void add(const Line& line) {
    back_ = 0;
    if (line.size == 0 || (count_ != 0 && at(1).view() == line.view())) {
      return;
    }
    lines_[next_] = line;
    next_ = (next_ + 1) % kLines;
    count_ += count_ < kLines ? 1 : 0;
  }

  // The line before or after the one that is shown, which is `current`; null where there is none.
  [[nodiscard]] const Line* older(const Line& current) {
    if (back_ == count_) {
      return nullptr;
    }
    if (back_ == 0) {
      draft_ = current;
    }
    return &at(++back_);
  }
  [[nodiscard]] const Line* newer() {
    if (back_ == 0) {
      return nullptr;
    }
    return --back_ == 0 ? &draft_ : &at(back_);
  }
  // The line being edited is given up.
  void leave() { back_ = 0; }

 private:
  [[nodiscard]] const Line& at(std::size_t back) const {
    return lines_[(next_ + kLines - back) % kLines];
  }

  std::array<Line, kLines> lines_{};
  Line draft_;
  std::size_t next_ = 0;
  std::size_t count_ = 0;
  std::size_t back_ = 0;  // how far back the shown line is; 0 for the one being edited
};

}  // namespace archelon::shell
