#include "vmx/bitmaps.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace archelon::vmx;

TEST_CASE("a united bitmap intercepts what either does and nothing else") {
  std::mt19937_64 random(2);
  BitmapPage first{};
  BitmapPage second{};
  for (std::size_t i = 0; i < first.size(); ++i) {
    first[i] = random() & random();
    second[i] = random() & random() & random();
  }
  BitmapPage both{};
  unite(both, first, second);
  for (int i = 0; i < 100'000; ++i) {
    const auto index =
        static_cast<std::uint32_t>((random() & 0x3fff) | ((random() & 1) != 0 ? 0xc0000000u : 0u));
    for (const MsrAccess access : {MsrAccess::kRead, MsrAccess::kWrite}) {
      REQUIRE(msr_intercepted(both, index, access) ==
              (msr_intercepted(first, index, access) || msr_intercepted(second, index, access)));
    }
    const auto port = static_cast<std::uint16_t>(random());
    const unsigned size = 1u << (random() % 3);
    REQUIRE(io_intercepted(both, both, port, size) == (io_intercepted(first, first, port, size) ||
                                                       io_intercepted(second, second, port, size)));
  }
}
