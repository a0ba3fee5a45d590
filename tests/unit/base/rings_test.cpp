#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hv/base/byte_ring.hpp"
#include "hv/base/log_ring.hpp"

namespace archelon {
namespace {

template <std::size_t N>
std::vector<std::string> lines(const LogRing<N>& ring, std::uint64_t cursor) {
  std::vector<std::string> all;
  std::array<char, 64> buffer;
  while (const auto line = ring.read_line(cursor, buffer)) {
    all.emplace_back(*line);
  }
  return all;
}

TEST_CASE("The log ring gives back its lines in order") {
  LogRing<32> ring;
  CHECK(lines(ring, ring.begin()).empty());
  ring.append("one");
  ring.append("");
  ring.append("three");
  CHECK(lines(ring, ring.begin()) == std::vector<std::string>{"one", "", "three"});
}

TEST_CASE("A full log ring loses its oldest lines whole") {
  LogRing<32> ring;
  for (const char* line : {"first line", "the second line", "third line", "fourth"}) {
    ring.append(line);
  }
  CHECK(lines(ring, ring.begin()) == std::vector<std::string>{"third line", "fourth"});
  // A reader that fell behind goes on with what is left.
  CHECK(lines(ring, 2) == std::vector<std::string>{"third line", "fourth"});
}

TEST_CASE("A log reader goes on where it stopped") {
  LogRing<32> ring;
  ring.append("one");
  std::uint64_t cursor = ring.begin();
  std::array<char, 8> buffer;
  REQUIRE(ring.read_line(cursor, buffer) == "one");
  REQUIRE_FALSE(ring.read_line(cursor, buffer));
  ring.append("a line too long for the buffer, and for the ring");
  CHECK(ring.read_line(cursor, buffer) == "a line t");
  CHECK_FALSE(ring.read_line(cursor, buffer));
}

TEST_CASE("The byte ring is a queue that wraps") {
  ByteRing<4> ring;
  CHECK(ring.front().empty());
  for (const char c : {'a', 'b', 'c', 'd'}) {
    REQUIRE(ring.push(c));
  }
  CHECK_FALSE(ring.push('e'));
  ring.pop(3);
  REQUIRE(ring.push('e'));
  REQUIRE(ring.push('f'));
  CHECK(std::string(ring.front().begin(), ring.front().end()) == "d");
  ring.pop(1);
  CHECK(std::string(ring.front().begin(), ring.front().end()) == "ef");
  CHECK(ring.size() == 2);
}

}  // namespace
}  // namespace archelon
