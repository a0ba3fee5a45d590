#include "hv/shell/line_buffer.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using archelon::shell::LineBuffer;

namespace {

struct Console {
  LineBuffer buffer;
  std::vector<std::string> lines;

  void put(std::string_view text) {
    for (const char c : text) {
      buffer.put(static_cast<std::uint8_t>(c),
                 [this](std::string_view line) { lines.emplace_back(line); });
    }
  }
  void flush() {
    buffer.flush([this](std::string_view line) { lines.emplace_back(line); });
  }
};

}  // namespace

TEST_CASE("a line is handed out when its end has come") {
  Console c;
  c.put("one\r\ntw");
  CHECK(c.lines == std::vector<std::string>{"one"});
  CHECK(c.buffer.unfinished() == "tw");
  c.put("o\n\n");
  CHECK(c.lines == std::vector<std::string>{"one", "two", ""});
  CHECK(c.buffer.unfinished().empty());
}

TEST_CASE("an unfinished line is handed out on demand, and once") {
  Console c;
  c.put("login: ");
  c.flush();
  c.flush();
  CHECK(c.lines == std::vector<std::string>{"login: "});
}

TEST_CASE("control characters do not get through, but tab and escape do") {
  Console c;
  c.put(std::string("a\0b\x07\x7f\t\x1b[1m\x8f\n", 12));
  CHECK(c.lines == std::vector<std::string>{"a.b..\t\x1b[1m\x8f"});
}

TEST_CASE("a line that outgrows the buffer comes in pieces, and one that fills it does not") {
  const std::string full(200, 'x');
  Console c;
  c.put(full + "\n");
  CHECK(c.lines == std::vector<std::string>{full});
  c.lines.clear();
  c.put(full + "y\n");
  CHECK(c.lines == std::vector<std::string>{full, "y"});
}
