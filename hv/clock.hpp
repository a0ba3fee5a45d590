#pragma once

#include <cstdint>

namespace archelon::hv {

// Turns time-stamp counter readings into nanoseconds since `base` and back. Exact, so that it does
// not drift over the life of the machine, for rates below 18 GHz.
class Clock {
 public:
  constexpr Clock() = default;
  // `hz` is the counter's rate; 0 is taken as 1 GHz, so that a failed calibration stays harmless.
  constexpr Clock(std::uint64_t hz, std::uint64_t base)
      : hz_(hz == 0 ? kNanosecondsPerSecond : hz), base_(base) {}

  [[nodiscard]] constexpr std::uint64_t hz() const { return hz_; }

  // Nanoseconds from the base to `tsc`; 0 for an earlier one.
  [[nodiscard]] constexpr std::uint64_t to_ns(std::uint64_t tsc) const {
    return tsc <= base_ ? 0 : scale(tsc - base_, kNanosecondsPerSecond, hz_);
  }
  // The first counter value at which to_ns() is at least `ns`; saturates.
  [[nodiscard]] constexpr std::uint64_t to_tsc(std::uint64_t ns) const {
    const std::uint64_t ticks = scale_up(ns, hz_, kNanosecondsPerSecond);
    return ticks > ~std::uint64_t{0} - base_ ? ~std::uint64_t{0} : base_ + ticks;
  }

  static constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

 private:
  // value * multiplier / divisor without a 128-bit division: whole and rest are scaled on their own,
  // and divisor * multiplier < 2^64 holds for the rates above. Saturates.
  static constexpr std::uint64_t scale(std::uint64_t value, std::uint64_t multiplier,
                                       std::uint64_t divisor) {
    const std::uint64_t whole = value / divisor;
    if (whole > ~std::uint64_t{0} / multiplier - 1) {
      return ~std::uint64_t{0};
    }
    return whole * multiplier + value % divisor * multiplier / divisor;
  }
  static constexpr std::uint64_t scale_up(std::uint64_t value, std::uint64_t multiplier,
                                          std::uint64_t divisor) {
    const std::uint64_t whole = value / divisor;
    if (whole > ~std::uint64_t{0} / multiplier - 1) {
      return ~std::uint64_t{0};
    }
    return whole * multiplier + (value % divisor * multiplier + divisor - 1) / divisor;
  }

  std::uint64_t hz_ = kNanosecondsPerSecond;
  std::uint64_t base_ = 0;
};

}  // namespace archelon::hv
