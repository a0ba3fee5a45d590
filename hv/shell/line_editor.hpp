#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/shell/history.hpp"
#include "hv/shell/key_decoder.hpp"
#include "hv/shell/output.hpp"

namespace archelon::shell {

inline constexpr std::string_view kPrompt = "archelon> ";

// Edits one line at a time on a terminal that need know nothing but backspace.
// The line is bounded such that it stays in one row of 80 columns.
class LineEditor {
 public:
  enum class Event : std::uint8_t {
    kNone,
    kLine,      // line() was entered
    kTab,       // completion is asked for: complete()
    kCancelled  // the line was given up; a new prompt is due
  };

  // Writes the prompt and the line as it is: at the start, and after other output.
  void show(const Output& out) const;
  [[nodiscard]] Event put(char c, const Output& out);

  // After kLine: what was entered, until the next put().
  [[nodiscard]] std::string_view line() const { return entered_.view(); }
  [[nodiscard]] bool empty() const { return text_.size == 0; }

  // The text before the cursor, for which candidates are looked for.
  [[nodiscard]] std::string_view before_cursor() const { return text_.view().substr(0, cursor_); }
  // Completes the word before the cursor to what those `candidates` that begin with it have in
  // common; where that is nothing new, lists them.
  void complete(std::span<const std::string_view> candidates, const Output& out);

 private:
  void insert(std::string_view text, const Output& out);
  // Removes `count` characters before the cursor.
  void erase_before(std::size_t count, const Output& out);
  void erase_after(std::size_t count, const Output& out);
  void move_left(std::size_t count, const Output& out);
  void move_right(std::size_t count, const Output& out);
  void replace(std::string_view text, const Output& out);
  [[nodiscard]] std::size_t word_before_cursor() const;

  KeyDecoder keys_;
  Line text_;
  Line entered_;
  std::size_t cursor_ = 0;
  History history_;
};

}  // namespace archelon::shell
