#include "drivers/text_screen.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "drivers/font.hpp"

namespace archelon::drivers {
namespace {

struct Glass {
  std::uint32_t width = 6;
  std::uint32_t height = 4;
  std::vector<std::string>* rows_shown = nullptr;
  unsigned* draws = nullptr;

  [[nodiscard]] std::uint32_t columns() const { return width; }
  [[nodiscard]] std::uint32_t rows() const { return height; }
  void draw(std::uint32_t column, std::uint32_t row, char c) const {
    (*rows_shown).at(row).at(column) = c;
    ++*draws;
  }
};

struct Setup {
  explicit Setup(std::uint32_t scroll_rows) { screen->open({6, 4, &shown, &draws}, scroll_rows); }
  std::vector<std::string> shown{4, std::string(6, '#')};
  unsigned draws = 0;
  std::unique_ptr<TextScreen<Glass>> screen = std::make_unique<TextScreen<Glass>>();
};
using Rows = std::vector<std::string>;

TEST_CASE("Text runs over the screen and wraps") {
  Setup s(1);
  CHECK(s.shown == Rows{"      ", "      ", "      ", "      "});
  s.screen->write("abcdefgh\r\n\x1b[x\n");
  CHECK(s.shown == Rows{"abcdef", "gh    ", "?[x   ", "      "});
  // A row that is exactly full is followed by no empty one.
  s.screen->write("123456\n7");
  CHECK(s.shown == Rows{"gh    ", "?[x   ", "123456", "7     "});
}

TEST_CASE("A full screen moves up by the chosen number of rows, drawing what changes") {
  Setup s(2);
  s.screen->write("a\nb\nc\nd");
  s.draws = 0;
  s.screen->write("\n");
  CHECK(s.shown == Rows{"c     ", "d     ", "      ", "      "});
  CHECK(s.draws == 4);
  s.screen->write("e\bf");
  CHECK(s.shown[2] == "f     ");
}

TEST_CASE("A screen without room swallows text") {
  Setup s(1);
  TextScreen<Glass>& screen = *s.screen;
  screen.open({6, 0, &s.shown, &s.draws}, 0);
  screen.write("text\n");
  CHECK_FALSE(screen.is_open());
}

TEST_CASE("The font has a distinct glyph for every printable character") {
  std::vector<std::array<std::uint8_t, kGlyphHeight>> seen;
  for (char c = ' '; c <= '~'; ++c) {
    const auto pixels = glyph(c);
    CHECK(std::find(seen.begin(), seen.end(), pixels) == seen.end());
    seen.push_back(pixels);
    for (const auto row : pixels) {
      CHECK((row & 0x83) == 0);  // neighbours do not touch
    }
  }
  CHECK(glyph(' ') == std::array<std::uint8_t, kGlyphHeight>{});
  CHECK(glyph('\n') == glyph('\x80'));
  CHECK(glyph('L')[0] == 0x40);
  CHECK(glyph('L')[13] == 0x7c);
}

TEST_CASE("Text colour fits the pixel format") {
  CHECK(text_colour({16, 8, 8, 8, 0, 8}) == 0xaaaaaa);
  CHECK(text_colour({11, 5, 5, 6, 0, 5}) == 0xad55);
  CHECK(text_colour({30, 8, 40, 8, 0, 0}) == 0);
}

}  // namespace
}  // namespace archelon::drivers
