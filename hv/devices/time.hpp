#pragma once

#include <cstdint>
#include <limits>

namespace archelon::devices {

inline constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();
inline constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

// The shortest period that a periodic interrupt source keeps: a guest that asks for less would
// keep its CPU busy with nothing but timer expiries.
inline constexpr std::uint64_t kMinimumPeriodNs = 20'000;

[[nodiscard]] constexpr std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
  return a > kNever - b ? kNever : a + b;
}

// A count of 1/from_hz units in units of 1/to_hz, rounded down, saturating. from_hz * to_hz must
// fit in 64 bits (with one of them a nanosecond clock: the other below 18 GHz).
[[nodiscard]] constexpr std::uint64_t rescale(std::uint64_t value, std::uint64_t from_hz,
                                              std::uint64_t to_hz) {
  const std::uint64_t seconds = value / from_hz;
  if (seconds >= kNever / to_hz) {
    return kNever;
  }
  return seconds * to_hz + value % from_hz * to_hz / from_hz;
}

// As rescale, rounded up: the first moment of the coarser clock at which `value` is reached.
[[nodiscard]] constexpr std::uint64_t rescale_up(std::uint64_t value, std::uint64_t from_hz,
                                                 std::uint64_t to_hz) {
  const std::uint64_t seconds = value / from_hz;
  if (seconds >= kNever / to_hz) {
    return kNever;
  }
  return seconds * to_hz + (value % from_hz * to_hz + from_hz - 1) / from_hz;
}

[[nodiscard]] constexpr std::uint64_t ns_to_ticks(std::uint64_t ns, std::uint64_t hz) {
  return rescale(ns, kNsPerSecond, hz);
}
[[nodiscard]] constexpr std::uint64_t ticks_to_ns(std::uint64_t ticks, std::uint64_t hz) {
  return rescale_up(ticks, hz, kNsPerSecond);
}

}  // namespace archelon::devices
