#include "hv/shell/line_editor.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <random>
#include <string>

#include "tests/unit/shell/text_output.hpp"

using namespace archelon::shell;
using Event = LineEditor::Event;

namespace {

struct Session {
  LineEditor editor;
  Terminal terminal;

  Session() { editor.show(terminal.out()); }

  // Types all of it; the last event.
  Event type(std::string_view keys) {
    Event event = Event::kNone;
    for (const char c : keys) {
      event = editor.put(c, terminal.out());
    }
    return event;
  }
  // The line that is entered by `keys` and Enter.
  std::string entered(std::string_view keys) {
    type(keys);
    CHECK(editor.put('\r', terminal.out()) == Event::kLine);
    const std::string line(editor.line());
    editor.show(terminal.out());
    return line;
  }
};

constexpr std::string_view kUp = "\x1b[A";
constexpr std::string_view kDown = "\x1b[B";
constexpr std::string_view kLeft = "\x1b[D";
constexpr std::string_view kHome = "\x1b[1~";
constexpr std::string_view kEnd = "\x1bOF";

std::string operator+(std::string_view a, std::string_view b) {
  return std::string(a).append(b);
}

}  // namespace

TEST_CASE("what is typed is shown and entered, whatever the terminal's line end") {
  Session s;
  CHECK(s.entered("vms") == "vms");
  CHECK(s.type("\nlog") == Event::kNone);  // the LF of CR LF is no second line
  CHECK(s.terminal.row() == "archelon> log");
  CHECK(s.type("\n") == Event::kLine);
  CHECK(s.editor.line() == "log");
  CHECK(s.type("\n") == Event::kLine);
  CHECK(s.editor.line().empty());
}

TEST_CASE("editing inside the line shows what is entered") {
  Session s;
  s.type("exitz vm");
  s.type(kLeft + kLeft + kLeft + "\b" + "s");
  CHECK(s.terminal.row() == "archelon> exits vm");
  CHECK(s.terminal.column == 15);
  s.type(kHome + "\x1b[3~" + "E" + kEnd + "!");
  CHECK(s.terminal.row() == "archelon> Exits vm!");
  s.type("\x17");  // Ctrl-W
  CHECK(s.terminal.row() == "archelon> Exits");
  s.type(kLeft + kLeft + kLeft + "\x15");  // Ctrl-U: before the cursor only
  CHECK(s.terminal.row() == "archelon> ts");
  CHECK(s.terminal.column == 10);
  s.type("\x06\x0b");  // Ctrl-F, Ctrl-K
  CHECK(s.entered("") == "t");
}

TEST_CASE("Ctrl-C gives the line up") {
  Session s;
  CHECK(s.type("reboot\x03") == Event::kCancelled);
  CHECK(s.editor.empty());
  CHECK(s.entered("") == "");
}

TEST_CASE("the line ends where the row does") {
  Session s;
  CHECK(s.entered(std::string(200, 'x')) == std::string(Line::kSize, 'x'));
  CHECK_FALSE(s.terminal.overran);
}

TEST_CASE("history goes back sixteen lines and returns to the draft") {
  Session s;
  for (int i = 0; i < 20; ++i) {
    s.entered("line " + std::to_string(i));
  }
  s.entered("line 19");  // the same again is not kept twice
  s.entered("");
  s.type("draft");
  s.type(kUp + kUp);
  CHECK(s.terminal.row() == "archelon> line 18");
  s.type(kDown + kDown + kDown);
  CHECK(s.terminal.row() == "archelon> draft");
  for (int i = 0; i < 30; ++i) {
    s.type(kUp);
  }
  CHECK(s.entered("") == "line 4");
  CHECK(s.entered(kUp) == "line 4");
  CHECK(s.entered(kUp + kUp) == "line 19");
}

TEST_CASE("a tab completes as far as the candidates agree") {
  constexpr std::array<std::string_view, 4> kNames = {"vms", "vmcs", "version", "log"};
  Session s;
  REQUIRE(s.type("vm\t") == Event::kTab);
  CHECK(s.editor.before_cursor() == "vm");
  s.editor.complete(kNames, s.terminal.out());
  CHECK(s.terminal.rows[1].starts_with("vms  vmcs  "));
  CHECK(s.terminal.row() == "archelon> vm");
  s.type("c\t");
  s.editor.complete(kNames, s.terminal.out());
  CHECK(s.terminal.row() == "archelon> vmcs");
  CHECK(s.terminal.column == 15);  // with a blank after it
  s.type("l\t");
  s.editor.complete(kNames, s.terminal.out());
  CHECK(s.entered("") == "vmcs log ");
  s.type("q\t");
  s.editor.complete(kNames, s.terminal.out());
  CHECK(s.entered("") == "q");
}

TEST_CASE("other output does not lose the line") {
  Session s;
  s.type("exits" + kLeft);
  s.terminal.out().text("\n[archelon] something\n");
  s.editor.show(s.terminal.out());
  CHECK(s.terminal.row() == "archelon> exits");
  CHECK(s.terminal.column == 14);
}

TEST_CASE("hostile bytes do no harm") {
  std::mt19937 random(1);
  // Control characters and sequences more often than chance has it.
  constexpr std::string_view kSpice = "\x1b[O~;0123456789ABCDHF\x7f\b\t\r\n\x03\x15\x17\x10\x0e";
  Session s;
  for (int i = 0; i < 200'000; ++i) {
    const char c =
        random() % 2 == 0 ? kSpice[random() % kSpice.size()] : static_cast<char>(random());
    switch (s.type({&c, 1})) {
      case Event::kLine:
      case Event::kCancelled:
        s.terminal.rows.assign(1, std::string(80, ' '));
        s.terminal.column = 0;
        s.editor.show(s.terminal.out());
        break;
      default:
        break;
    }
    const std::string before(s.editor.before_cursor());
    REQUIRE(before.size() <= Line::kSize);
    // What is shown is what would be entered, and the cursor stands where the editor thinks.
    REQUIRE(s.terminal.column == kPrompt.size() + before.size());
    REQUIRE(s.terminal.rows.back().starts_with(std::string(kPrompt) + before));
    REQUIRE_FALSE(s.terminal.overran);
  }
}
