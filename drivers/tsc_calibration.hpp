#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>

#include "hv/arch/cpuid.hpp"

// How fast the TSC runs: what CPUID claims against what a timer of the machine measures.
namespace archelon::drivers {

// A free-running counter of known rate that counts up and wraps at `mask()` + 1 (a power of two).
template <class C>
concept ReferenceCounter = requires(C counter) {
  { counter.read() } -> std::same_as<std::uint64_t>;
  { counter.mask() } -> std::same_as<std::uint64_t>;
  { counter.frequency_hz() } -> std::same_as<std::uint64_t>;
};

template <class T>
concept TscClock = requires(T tsc) {
  { tsc.read() } -> std::same_as<std::uint64_t>;
};

// A measured rate, and by how much it may be off: the time that reading the counter took.
struct TscMeasurement {
  std::uint64_t hz = 0;
  std::uint64_t error_hz = 0;
};

enum class TscSource : std::uint8_t { kCpuid, kHypervisorLeaf, kMeasured, kAssumed };
[[nodiscard]] std::string_view to_string(TscSource source);

struct TscFrequency {
  std::uint64_t hz = 0;
  TscSource source = TscSource::kAssumed;
  // CPUID's claim where it was more than 5% off the measured rate and therefore lost; else 0.
  std::uint64_t rejected_hz = 0;
};

// The claim of CPUID leaves 15H and 16H, in Hz; nothing where they make none. Without the crystal's
// rate in 15H the base frequency of 16H stands in for it, which is exact to about 0.1% (SDM vol.
// 3B, "Determining the Processor Base Frequency").
[[nodiscard]] std::optional<std::uint64_t> tsc_hz_from_cpuid(const arch::CpuidResult& leaf15,
                                                             const arch::CpuidResult& leaf16);

// The frequency to use. The rule: a claim (CPUID's, else the hypervisor's in kHz by its leaf
// 40000010H) counts, being exact, unless a measured rate differs from it by more than 5%; then the
// measurement counts, and so it does when there is no claim. With neither, 1 GHz is assumed.
[[nodiscard]] TscFrequency choose_tsc_frequency(std::optional<std::uint64_t> cpuid_hz,
                                                std::optional<std::uint64_t> hypervisor_khz,
                                                std::optional<TscMeasurement> measured);

// How many TSC ticks pass per second, from TSC ticks and counter ticks that passed in the same
// time. Nothing where the numbers cannot be (no counter ticks, or below 1 MHz or above 100 GHz).
[[nodiscard]] std::optional<std::uint64_t> tsc_hz_from_counts(std::uint64_t tsc_ticks,
                                                              std::uint64_t counter_ticks,
                                                              std::uint64_t counter_hz);

// Measures by `counter`: the best of kWindows windows of 10 ms. A window's ends are (TSC, counter)
// pairs, each the tightest of several readings, so that an SMI or a preemption by an outer
// hypervisor that hits a reading is discarded; one that hits between the ends does no harm, as both
// clocks go on. Nothing where the counter stands still, runs backwards or the TSC stands still; all
// of it in bounded time.
template <TscClock T, ReferenceCounter C>
[[nodiscard]] std::optional<TscMeasurement> measure_tsc(T& tsc, C& counter) {
  constexpr int kWindows = 3, kTries = 5;
  constexpr std::uint64_t kWindowsPerSecond = 100;
  // A counter that did not get through a window after so many readings is none: readings take
  // between 1 and 100 instructions' time in an emulator and about 1 us on hardware.
  constexpr std::uint32_t kMaxReadings = 4'000'000;
  constexpr std::uint32_t kMaxStill = 100'000;

  struct Pair {
    std::uint64_t tsc = 0;
    std::uint64_t width = ~std::uint64_t{0};
    std::uint64_t count = 0;
  };
  const auto read_pair = [&] {
    Pair best;
    for (int i = 0; i < kTries; ++i) {
      const std::uint64_t before = tsc.read();
      const std::uint64_t count = counter.read();
      const std::uint64_t width = tsc.read() - before;
      if (width < best.width) {
        best = {before + width / 2, width, count};
      }
    }
    return best;
  };

  const std::uint64_t hz = counter.frequency_hz();
  const std::uint64_t window = hz / kWindowsPerSecond;
  if (window == 0 || window > counter.mask() / 2) {
    return std::nullopt;
  }
  std::optional<TscMeasurement> best;
  for (int w = 0; w < kWindows; ++w) {
    const Pair begin = read_pair();
    std::uint64_t passed = 0;
    std::uint32_t still = 0;
    for (std::uint32_t n = 0; passed < window; ++n) {
      const std::uint64_t now = (counter.read() - begin.count) & counter.mask();
      still = now == passed ? still + 1 : 0;
      if (n == kMaxReadings || still == kMaxStill || now < passed) {
        return best;
      }
      passed = now;
    }
    const Pair end = read_pair();
    const std::uint64_t counted = (end.count - begin.count) & counter.mask();
    if (counted < passed || end.tsc <= begin.tsc) {
      continue;  // wrapped around, by an SMI longer than the counter's period
    }
    const std::uint64_t error = begin.width / 2 + end.width / 2;
    const auto measured = tsc_hz_from_counts(end.tsc - begin.tsc, counted, hz);
    const auto error_hz = tsc_hz_from_counts(end.tsc - begin.tsc + error, counted, hz);
    if (measured && error_hz && (!best || *error_hz - *measured < best->error_hz)) {
      best = TscMeasurement{*measured, *error_hz - *measured};
    }
  }
  return best;
}

}  // namespace archelon::drivers
