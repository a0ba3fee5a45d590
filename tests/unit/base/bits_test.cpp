#include "hv/base/bits.hpp"

#include <catch2/catch.hpp>

using namespace archelon;

TEST_CASE("bit masks and fields") {
  CHECK(bit(63) == 0x8000000000000000u);
  CHECK(bit_mask(63, 0) == ~0ull);
  CHECK(bit_mask(11, 4) == 0xff0u);
  CHECK(bit_field(0xabcd, 11, 4) == 0xbcu);
  CHECK(align_up(0x1001, 0x1000) == 0x2000u);
  CHECK(align_down(0x1fff, 0x1000) == 0x1000u);
}

TEST_CASE("canonical addresses of 48 and 57 bits") {
  CHECK(is_canonical(0x00007fffffffffffu));
  CHECK_FALSE(is_canonical(0x0000800000000000u));
  CHECK(is_canonical(0xffff800000000000u));
  CHECK(is_canonical(0x0000800000000000u, 57));
  CHECK_FALSE(is_canonical(0x0100000000000000u, 57));
}
