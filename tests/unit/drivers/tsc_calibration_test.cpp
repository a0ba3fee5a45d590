#include "drivers/tsc_calibration.hpp"

#include <catch2/catch.hpp>

#include "drivers/reference_counters.hpp"

using namespace archelon;
using namespace archelon::drivers;

namespace {

// One time line in TSC ticks, which every reading moves on. An SMI stops the CPU, not the clocks.
struct Machine {
  std::uint64_t now = 0x7fff'0000;
  std::uint64_t tsc_hz = 3'000'000'000;
  std::uint64_t read_cost = 3000;
  std::uint64_t smi_every = 0;  // a reading in so many takes a further 2 ms
  std::uint64_t readings = 0;

  void step(std::uint64_t ticks) {
    now += ticks;
    if (smi_every != 0 && ++readings % smi_every == 0) {
      now += tsc_hz / 500;
    }
  }
};
struct Tsc {
  Machine& m;
  std::uint64_t read() {
    m.step(20);
    return m.now;
  }
};
struct Counter {
  Machine& m;
  std::uint64_t hz;
  std::uint64_t wrap;
  std::uint64_t stops_at = ~0ULL;

  std::uint64_t read() {
    m.step(m.read_cost / 2);
    const auto count =
        static_cast<std::uint64_t>(static_cast<unsigned __int128>(m.now) * hz / m.tsc_hz);
    m.step(m.read_cost / 2);
    return (count < stops_at ? count : stops_at) & wrap;
  }
  std::uint64_t mask() const { return wrap; }
  std::uint64_t frequency_hz() const { return hz; }
};

void check_near(std::optional<TscMeasurement> m, std::uint64_t hz, double tolerance) {
  REQUIRE(m);
  CHECK(static_cast<double>(m->hz) == Approx(static_cast<double>(hz)).epsilon(tolerance));
}

}  // namespace

TEST_CASE("Measuring by each kind of counter") {
  for (const std::uint64_t tsc_hz : {100'000'000ULL, 1'993'000'000ULL, 5'200'000'000ULL}) {
    Machine m;
    m.tsc_hz = tsc_hz;
    m.read_cost = tsc_hz / 1'000'000;
    Tsc tsc{m};
    Counter hpet{m, 14'318'180, 0xffffffff};
    check_near(measure_tsc(tsc, hpet), tsc_hz, 1e-3);
    Counter pm{m, 3'579'545, 0xffffff};
    check_near(measure_tsc(tsc, pm), tsc_hz, 1e-3);
    Counter pit{m, 1'193'182, 0xffff};
    check_near(measure_tsc(tsc, pit), tsc_hz, 1e-3);
  }
}

TEST_CASE("SMIs that hit a reading do not disturb the result") {
  for (const std::uint64_t every : {7ULL, 11ULL, 100ULL, 1000ULL}) {
    Machine m;
    m.smi_every = every;
    Tsc tsc{m};
    Counter hpet{m, 14'318'180, 0xffffffff};
    const auto result = measure_tsc(tsc, hpet);
    check_near(result, m.tsc_hz, 1e-3);
    CHECK(result->error_hz < m.tsc_hz / 1000);
  }
}

TEST_CASE("Counters that do not count are given up in bounded time") {
  Machine m;
  Tsc tsc{m};
  Counter stopped{m, 14'318'180, 0xffffffff, 0};
  CHECK_FALSE(measure_tsc(tsc, stopped));
  Counter no_rate{m, 0, 0xffffffff};
  CHECK_FALSE(measure_tsc(tsc, no_rate));
  Counter too_narrow{m, 1'193'182, 0xff};
  CHECK_FALSE(measure_tsc(tsc, too_narrow));
  // Stops in the second window: the first one's result stands.
  Machine n;
  Tsc other{n};
  Counter stops{n, 14'318'180, ~0ULL, n.now * 14'318'180 / n.tsc_hz + 200'000};
  check_near(measure_tsc(other, stops), n.tsc_hz, 1e-3);

  struct Still {
    std::uint64_t read() const { return 5; }
  } still;
  Counter fine{m, 14'318'180, 0xffffffff};
  CHECK_FALSE(measure_tsc(still, fine));
}

TEST_CASE("What CPUID claims") {
  using L = arch::CpuidResult;
  CHECK(tsc_hz_from_cpuid(L{2, 216, 24'000'000, 0}, L{}) == 2'592'000'000);
  CHECK(tsc_hz_from_cpuid(L{2, 292, 0, 0}, L{3500, 3900, 100, 0}) == 3'500'000'000);
  CHECK(tsc_hz_from_cpuid(L{2, 292, 0, 0}, L{}) == std::nullopt);
  CHECK(tsc_hz_from_cpuid(L{0, 292, 24'000'000, 0}, L{3500, 0, 0, 0}) == std::nullopt);
  CHECK(tsc_hz_from_cpuid(L{1, 0, 24'000'000, 0}, L{3500, 0, 0, 0}) == std::nullopt);
  CHECK(tsc_hz_from_cpuid(L{1, ~0U, ~0U, 0}, L{}) == std::nullopt);
}

TEST_CASE("The rule of choice") {
  using M = TscMeasurement;
  const auto agree = choose_tsc_frequency(2'592'000'000, std::nullopt, M{2'592'100'000, 1});
  CHECK(agree.hz == 2'592'000'000);
  CHECK(agree.source == TscSource::kCpuid);
  CHECK(agree.rejected_hz == 0);
  // The emulator counts instructions, whatever the model's CPUID says.
  const auto emulated = choose_tsc_frequency(3'500'000'000, std::nullopt, M{100'000'123, 1});
  CHECK(emulated.hz == 100'000'123);
  CHECK(emulated.source == TscSource::kMeasured);
  CHECK(emulated.rejected_hz == 3'500'000'000);
  CHECK(choose_tsc_frequency(1'050'000'000, {}, M{1'000'000'000, 0}).source == TscSource::kCpuid);
  CHECK(choose_tsc_frequency(1'050'000'001, {}, M{1'000'000'000, 0}).source ==
        TscSource::kMeasured);
  CHECK(choose_tsc_frequency(949'999'999, {}, M{1'000'000'000, 0}).source == TscSource::kMeasured);
  CHECK(choose_tsc_frequency({}, 2'100'000, M{2'100'000'500, 0}).hz == 2'100'000'000);
  CHECK(choose_tsc_frequency({}, 2'100'000, {}).source == TscSource::kHypervisorLeaf);
  CHECK(choose_tsc_frequency({}, 0, {}).source == TscSource::kAssumed);
  CHECK(choose_tsc_frequency({}, {}, M{1'234'567'890, 0}).hz == 1'234'567'890);
  CHECK(choose_tsc_frequency({}, {}, {}).hz == 1'000'000'000);
}

TEST_CASE("Rates from counts") {
  CHECK(tsc_hz_from_counts(30'000'000, 143'181, 14'318'180) == 3000016761);
  CHECK_FALSE(tsc_hz_from_counts(30'000'000, 0, 14'318'180));
  CHECK_FALSE(tsc_hz_from_counts(~0ULL, 1, 14'318'180));
  CHECK_FALSE(tsc_hz_from_counts(1, 1'000'000, 14'318'180));
  CHECK_FALSE(tsc_hz_from_counts(1ULL << 39, 1, 14'318'180));
}

TEST_CASE("The HPET is checked and started; the 8254 is set up and turned around") {
  struct Hpet {
    std::uint32_t* period;
    std::uint32_t* configuration;
    std::uint32_t read32(std::uint64_t offset) const {
      return offset == 4 ? *period : offset == 0x10 ? *configuration : 77;
    }
    void write32(std::uint64_t offset, std::uint32_t v) const {
      REQUIRE(offset == 0x10);
      *configuration = v;
    }
  };
  std::uint32_t period = 69'841'279, configuration = 2;
  auto hpet = HpetCounter<Hpet>::open(Hpet{&period, &configuration});
  REQUIRE(hpet);
  CHECK(hpet->frequency_hz() == 14'318'179);
  CHECK(configuration == 3);
  CHECK(hpet->read() == 77);
  for (const std::uint32_t bad : {0U, 100'000'001U, ~0U}) {
    period = bad;
    CHECK_FALSE(HpetCounter<Hpet>::open(Hpet{&period, &configuration}));
  }

  struct Ports {
    std::uint16_t* counter;
    int* byte;
    std::uint8_t in8(std::uint16_t port) const {
      if (port == 0x61) {
        return 0x22;
      }
      return static_cast<std::uint8_t>((*byte)++ == 0 ? *counter : *counter >> 8);
    }
    std::uint16_t in16(std::uint16_t) const { return 0; }
    std::uint32_t in32(std::uint16_t port) const { return port == 0x608 ? 0xff123456 : 0; }
    void out8(std::uint16_t port, std::uint8_t v) const {
      if (port == 0x61) {
        CHECK(v == 0x21);
      }
      if (port == 0x43 && v == 0x80) {
        *byte = 0;
      }
    }
    void out16(std::uint16_t, std::uint16_t) const {}
    void out32(std::uint16_t, std::uint32_t) const {}
  };
  std::uint16_t count = 0xfffe;
  int byte = 0;
  PitCounter<Ports> pit(Ports{&count, &byte});
  CHECK(pit.read() == 2);
  count = 0;
  CHECK(pit.read() == 0);
  PmTimerCounter<Ports> pm(Ports{&count, &byte}, 0x608);
  CHECK(pm.read() == 0x123456);
}
