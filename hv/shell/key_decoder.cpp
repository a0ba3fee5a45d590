#include "hv/shell/key_decoder.hpp"

namespace archelon::shell {
namespace {

constexpr char kEscape = 0x1b;
constexpr char kRubout = 0x7f;

// The letter of a control character: 'A' for 0x01.
constexpr char letter(char c) {
  return static_cast<char>(c + 0x40);
}

// ESC [ LETTER and ESC O LETTER.
Key by_letter(char c) {
  switch (c) {
    case 'A':
      return Key::kUp;
    case 'B':
      return Key::kDown;
    case 'C':
      return Key::kRight;
    case 'D':
      return Key::kLeft;
    case 'H':
      return Key::kHome;
    case 'F':
      return Key::kEnd;
    default:
      return Key::kNone;
  }
}

// ESC [ NUMBER ~.
Key by_number(std::uint8_t number) {
  switch (number) {
    case 1:
    case 7:
      return Key::kHome;
    case 3:
      return Key::kDelete;
    case 4:
    case 8:
      return Key::kEnd;
    default:
      return Key::kNone;
  }
}

}  // namespace

Key KeyDecoder::decode(char c) {
  const bool is_pair = after_return_ && c == '\n';
  after_return_ = c == '\r';
  if (is_pair) {
    return Key::kNone;
  }
  // A control character ends whatever sequence was begun: a line end is never swallowed.
  if (static_cast<unsigned char>(c) < ' ' || c == kRubout) {
    state_ = State::kPlain;
    return control(c);
  }
  switch (state_) {
    case State::kPlain:
      return static_cast<unsigned char>(c) <= '~' ? Key::kCharacter : Key::kNone;
    case State::kEscape:
      state_ = c == '[' ? State::kSequence : c == 'O' ? State::kLetter : State::kPlain;
      parameter_ = 0;
      in_parameter_ = true;
      return Key::kNone;
    case State::kLetter:
      state_ = State::kPlain;
      return by_letter(c);
    case State::kSequence:
      return sequence_end(c);
  }
  return Key::kNone;
}

Key KeyDecoder::control(char c) {
  switch (c) {
    case kEscape:
      state_ = State::kEscape;
      return Key::kNone;
    case '\r':
    case '\n':
      return Key::kEnter;
    case '\t':
      return Key::kTab;
    case '\b':
    case kRubout:
      return Key::kBackspace;
    default:
      break;
  }
  switch (letter(c)) {
    case 'A':
      return Key::kHome;
    case 'B':
      return Key::kLeft;
    case 'C':
      return Key::kCancel;
    case 'D':
      return Key::kDelete;
    case 'E':
      return Key::kEnd;
    case 'F':
      return Key::kRight;
    case 'K':
      return Key::kKillToEnd;
    case 'L':
      return Key::kRedraw;
    case 'N':
      return Key::kDown;
    case 'P':
      return Key::kUp;
    case 'U':
      return Key::kKillLine;
    case 'W':
      return Key::kKillWord;
    default:
      return Key::kNone;
  }
}

Key KeyDecoder::sequence_end(char c) {
  if (c >= '0' && c <= '9') {
    // Numbers past two digits name nothing here.
    parameter_ = !in_parameter_     ? parameter_
                 : parameter_ >= 10 ? std::uint8_t{0xff}
                                    : static_cast<std::uint8_t>(parameter_ * 10 + (c - '0'));
    return Key::kNone;
  }
  if (c < '@') {  // further parameters and intermediate characters: modifiers
    in_parameter_ = false;
    return Key::kNone;
  }
  state_ = State::kPlain;
  return c == '~' ? by_number(parameter_) : by_letter(c);
}

}  // namespace archelon::shell
