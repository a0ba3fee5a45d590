#include "hv/clock.hpp"

#include <catch2/catch.hpp>
#include <random>

using archelon::hv::Clock;

namespace {

// __extension__: a 128-bit type is no standard C++.
__extension__ using Wide = unsigned __int128;

std::uint64_t exact_ns(std::uint64_t ticks, std::uint64_t hz) {
  return static_cast<std::uint64_t>(Wide{ticks} * Clock::kNanosecondsPerSecond / hz);
}

}  // namespace

TEST_CASE("nanoseconds count from the base, and nothing is before it") {
  const Clock clock(2'000'000'000, 1000);
  CHECK(clock.to_ns(0) == 0);
  CHECK(clock.to_ns(1000) == 0);
  CHECK(clock.to_ns(1001) == 0);
  CHECK(clock.to_ns(1002) == 1);
  CHECK(clock.to_ns(1000 + 2'000'000'000) == 1'000'000'000);
  CHECK(clock.to_tsc(0) == 1000);
  CHECK(clock.to_tsc(1) == 1002);
}

TEST_CASE("a rate of zero counts as 1 GHz") {
  CHECK(Clock(0, 0).hz() == 1'000'000'000);
  CHECK(Clock(0, 0).to_ns(12'345) == 12'345);
  CHECK(Clock().to_tsc(12'345) == 12'345);
}

TEST_CASE("the clock is exact over centuries and at every rate") {
  std::mt19937_64 random(7);
  for (const std::uint64_t hz :
       {std::uint64_t{1}, std::uint64_t{999'999'937}, std::uint64_t{1'000'000'000},
        std::uint64_t{2'893'437'211}, std::uint64_t{6'000'000'001}}) {
    const Clock clock(hz, 0);
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t tsc = random() >> (random() % 64);
      if (Wide{tsc} * Clock::kNanosecondsPerSecond / hz < (Wide{1} << 63)) {
        REQUIRE(clock.to_ns(tsc) == exact_ns(tsc, hz));
      }
    }
  }
}

TEST_CASE("to_tsc gives the first tick at which a deadline has come") {
  std::mt19937_64 random(8);
  for (const std::uint64_t hz : {std::uint64_t{999'999'937}, std::uint64_t{3'700'000'000}}) {
    const Clock clock(hz, 5'000);
    for (int i = 0; i < 2000; ++i) {
      const std::uint64_t ns = 1 + (random() >> (8 + random() % 50));
      const std::uint64_t tsc = clock.to_tsc(ns);
      REQUIRE(clock.to_ns(tsc) >= ns);
      REQUIRE(clock.to_ns(tsc - 1) < ns);
    }
  }
}

TEST_CASE("what does not fit saturates") {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  CHECK(Clock(4'000'000'000, 0).to_tsc(kMax) == kMax);
  CHECK(Clock(1'000'000'000, kMax - 10).to_tsc(11) == kMax);
  CHECK(Clock(1'000'000'000, kMax - 10).to_tsc(10) == kMax);
  CHECK(Clock(1'000'000'000, kMax - 10).to_tsc(9) == kMax - 1);
  CHECK(Clock(1, 0).to_ns(kMax) == kMax);
}
