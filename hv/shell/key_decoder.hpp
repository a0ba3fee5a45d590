#pragma once

#include <cstdint>

namespace archelon::shell {

// What a key means to the line editor.
enum class Key : std::uint8_t {
  kNone,  // part of a sequence, or a key without a meaning here
  kCharacter,
  kEnter,
  kTab,
  kBackspace,
  kDelete,
  kLeft,
  kRight,
  kHome,
  kEnd,
  kUp,
  kDown,
  kKillLine,  // all before the cursor
  kKillToEnd,
  kKillWord,
  kCancel,
  kRedraw,
};

// Makes keys of the bytes that terminals send: ASCII controls as in Emacs and the shells, and the
// escape sequences of VT100, xterm and the Linux console. Any bytes are bearable; a sequence that
// is not known is swallowed.
class KeyDecoder {
 public:
  [[nodiscard]] Key decode(char c);

 private:
  enum class State : std::uint8_t { kPlain, kEscape, kSequence, kLetter };

  Key control(char c);
  Key sequence_end(char c);

  State state_ = State::kPlain;
  std::uint8_t parameter_ = 0;  // the first number of a sequence; 0xff for a bad one
  bool in_parameter_ = false;
  bool after_return_ = false;
};

}  // namespace archelon::shell
