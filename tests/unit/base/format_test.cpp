#include "hv/base/format.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace archelon;

namespace {

template <class... Args>
std::string text(std::string_view pattern, const Args&... args) {
  std::array<char, 64> buffer;
  return std::string(format(buffer, pattern, args...));
}

}  // namespace

TEST_CASE("format prints integers in decimal and hex with padding") {
  CHECK(text("{}", 0) == "0");
  CHECK(text("{} {}", -1, 18446744073709551615ull) == "-1 18446744073709551615");
  CHECK(text("{}", INT64_MIN) == "-9223372036854775808");
  CHECK(text("{:x}|{:#x}|{:08x}|{:#06x}", 255, 255, 255, 255) == "ff|0xff|000000ff|0x00ff");
  CHECK(text("[{:5}] [{:<5}]", 42, 42) == "[   42] [42   ]");
}

TEST_CASE("format prints strings, characters, bools and addresses") {
  CHECK(text("{:6}|{}|{}", "abc", 'x', true) == "abc   |x|true");
  CHECK(text("{}", Gpa1(0x1000)) == "0x1000");
}

TEST_CASE("format survives bad patterns and full buffers") {
  CHECK(text("{{}}") == "{}");
  CHECK(text("{} {}", 1) == "1 {?}");
  CHECK(text("open {", 1) == "open {");
  std::array<char, 4> small;
  CHECK(format(small, "{}", "abcdefgh") == "abcd");
}
