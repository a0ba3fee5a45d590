#include <catch2/catch.hpp>
#include <random>

#include "vmx/fields.hpp"

using namespace archelon::vmx;

TEST_CASE("a random encoding names a field only when all its bits do") {
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    // Mostly near real encodings, so that single wrong bits are met.
    const std::uint32_t real = kFieldNames[random() % kFieldCount].encoding;
    const std::uint32_t encoding = real ^ (1u << (random() % 32)) ^ (random() % 2);
    const auto position = field_position(encoding);
    if (position) {
      REQUIRE(kFieldNames[*position].encoding == (encoding & ~1u));
    } else {
      REQUIRE(field_name(encoding) == "?");
    }
  }
}
