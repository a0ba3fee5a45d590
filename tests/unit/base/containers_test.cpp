#include <catch2/catch.hpp>

#include "hv/base/byte_reader.hpp"
#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"

using namespace archelon;

TEST_CASE("StaticVector refuses what does not fit") {
  StaticVector<int, 2> v;
  CHECK(v.push_back(1));
  CHECK(v.insert(0, 7));
  CHECK_FALSE(v.push_back(3));
  CHECK(v[0] == 7);
  v.erase(0);
  CHECK(v.size() == 1);
  CHECK(v[0] == 1);
}

TEST_CASE("ByteReader answers nothing past the end") {
  const std::byte bytes[] = {std::byte{0x34}, std::byte{0x12}, std::byte{0xff}};
  const ByteReader reader{bytes};
  CHECK(reader.get<std::uint16_t>(0) == 0x1234);
  CHECK_FALSE(reader.get<std::uint16_t>(2).has_value());
  CHECK_FALSE(reader.get<std::uint8_t>(SIZE_MAX).has_value());
  CHECK_FALSE(reader.slice(1, SIZE_MAX).has_value());
  CHECK(reader.slice(3, 0).has_value());
}

TEST_CASE("Result carries a value or an error") {
  const auto half = [](int n) -> Result<int, char> {
    if (n % 2 != 0) {
      return Err{'o'};
    }
    return n / 2;
  };
  CHECK(half(4).value() == 2);
  CHECK(half(3).error() == 'o');
  CHECK(half(3).value_or(9) == 9);
}
