#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hv/shell/output.hpp"

namespace archelon::shell {

// Collects what is written.
struct TextOutput {
  std::string text;

  [[nodiscard]] Output out() {
    return {[](void* self, std::string_view text) { static_cast<TextOutput*>(self)->text += text; },
            this};
  }
  [[nodiscard]] bool has(std::string_view part) const {
    return text.find(part) != std::string::npos;
  }
};

// What a terminal of 80 columns shows that knows printable characters, line ends and backspace.
struct Terminal {
  std::vector<std::string> rows{std::string(80, ' ')};
  std::size_t column = 0;
  bool overran = false;

  [[nodiscard]] Output out() {
    return {[](void* self, std::string_view text) {
              for (const char c : text) {
                static_cast<Terminal*>(self)->put(c);
              }
            },
            this};
  }
  // The row with the cursor, without blanks at its end.
  [[nodiscard]] std::string row() const {
    const std::string& last = rows.back();
    return last.substr(0, last.find_last_not_of(' ') + 1);
  }

 private:
  void put(char c) {
    if (c == '\n') {
      rows.emplace_back(80, ' ');
      column = 0;
    } else if (c == '\b') {
      overran = overran || column == 0;
      column -= column != 0 ? 1 : 0;
    } else {
      overran = overran || c < ' ' || c > '~' || column == 80;
      if (column < 80) {
        rows.back()[column++] = c;
      }
    }
  }
};

}  // namespace archelon::shell
