#include "hv/shell/line_editor.hpp"

#include <algorithm>

namespace archelon::shell {
namespace {

void repeat(std::string_view text, std::size_t count, const Output& out) {
  for (; count != 0; --count) {
    out.text(text);
  }
}

}  // namespace

void LineEditor::show(const Output& out) const {
  out.text(kPrompt);
  out.text(text_.view());
  repeat("\b", text_.size - cursor_, out);
}

LineEditor::Event LineEditor::put(char c, const Output& out) {
  switch (keys_.decode(c)) {
    case Key::kNone:
      break;
    case Key::kCharacter:
      insert({&c, 1}, out);
      break;
    case Key::kEnter:
      out.text("\n");
      history_.add(text_);
      entered_ = text_;
      text_.size = cursor_ = 0;
      return Event::kLine;
    case Key::kTab:
      return Event::kTab;
    case Key::kBackspace:
      erase_before(1, out);
      break;
    case Key::kDelete:
      erase_after(1, out);
      break;
    case Key::kLeft:
      move_left(1, out);
      break;
    case Key::kRight:
      move_right(1, out);
      break;
    case Key::kHome:
      move_left(cursor_, out);
      break;
    case Key::kEnd:
      move_right(text_.size - cursor_, out);
      break;
    case Key::kUp:
      if (const Line* line = history_.older(text_)) {
        replace(line->view(), out);
      }
      break;
    case Key::kDown:
      if (const Line* line = history_.newer()) {
        replace(line->view(), out);
      }
      break;
    case Key::kKillLine:
      erase_before(cursor_, out);
      break;
    case Key::kKillToEnd:
      erase_after(text_.size - cursor_, out);
      break;
    case Key::kKillWord:
      erase_before(word_before_cursor(), out);
      break;
    case Key::kCancel:
      out.text("^C\n");
      history_.leave();
      text_.size = cursor_ = 0;
      return Event::kCancelled;
    case Key::kRedraw:
      out.text("\n");
      show(out);
      break;
  }
  return Event::kNone;
}

void LineEditor::complete(std::span<const std::string_view> candidates, const Output& out) {
  const std::string_view before = before_cursor();
  const std::size_t start = before.rfind(' ') == std::string_view::npos ? 0 : before.rfind(' ') + 1;
  const std::string_view word = before.substr(start);
  std::string_view common;
  std::size_t matches = 0;
  for (const std::string_view candidate : candidates) {
    if (!candidate.starts_with(word)) {
      continue;
    }
    const auto end =
        std::mismatch(common.begin(), common.end(), candidate.begin(), candidate.end());
    common = matches++ == 0
                 ? candidate
                 : common.substr(0, static_cast<std::size_t>(end.first - common.begin()));
  }
  if (matches == 0) {
    return;
  }
  const std::string_view rest = common.substr(word.size());
  if (matches == 1 || !rest.empty()) {
    insert(rest, out);
    if (matches == 1) {
      insert(" ", out);
    }
    return;
  }
  out.text("\n");
  for (const std::string_view candidate : candidates) {
    if (candidate.starts_with(word)) {
      out.text(candidate);
      out.text("  ");
    }
  }
  out.text("\n");
  show(out);
}

void LineEditor::insert(std::string_view text, const Output& out) {
  text = text.substr(0, Line::kSize - text_.size);
  char* const at = text_.text.data() + cursor_;
  std::copy_backward(at, text_.text.data() + text_.size,
                     text_.text.data() + text_.size + text.size());
  std::copy(text.begin(), text.end(), at);
  text_.size += text.size();
  out.text(text_.view().substr(cursor_));
  cursor_ += text.size();
  repeat("\b", text_.size - cursor_, out);
}

void LineEditor::erase_before(std::size_t count, const Output& out) {
  count = std::min(count, cursor_);
  move_left(count, out);
  erase_after(count, out);
}

void LineEditor::erase_after(std::size_t count, const Output& out) {
  count = std::min(count, text_.size - cursor_);
  char* const at = text_.text.data() + cursor_;
  std::copy(at + count, text_.text.data() + text_.size, at);
  text_.size -= count;
  out.text(text_.view().substr(cursor_));
  repeat(" ", count, out);
  repeat("\b", text_.size - cursor_ + count, out);
}

void LineEditor::move_left(std::size_t count, const Output& out) {
  count = std::min(count, cursor_);
  repeat("\b", count, out);
  cursor_ -= count;
}

void LineEditor::move_right(std::size_t count, const Output& out) {
  count = std::min(count, text_.size - cursor_);
  out.text(text_.view().substr(cursor_, count));
  cursor_ += count;
}

void LineEditor::replace(std::string_view text, const Output& out) {
  move_right(text_.size - cursor_, out);
  erase_before(text_.size, out);
  insert(text, out);
}

std::size_t LineEditor::word_before_cursor() const {
  std::size_t start = cursor_;
  while (start != 0 && text_.text[start - 1] == ' ') {
    --start;
  }
  while (start != 0 && text_.text[start - 1] != ' ') {
    --start;
  }
  return cursor_ - start;
}

}  // namespace archelon::shell
