#pragma once

#include <cstdint>

#include "hv/devices/time.hpp"

namespace archelon::devices {

// The local APIC's timer (SDM volume 3, "APIC Timer"), as the moment of its next expiry.
class LapicTimer {
 public:
  enum class Mode : std::uint8_t { kOneShot = 0, kPeriodic = 1, kTscDeadline = 2, kReserved = 3 };

  constexpr LapicTimer() = default;
  constexpr LapicTimer(std::uint64_t timer_hz, std::uint64_t tsc_hz)
      : timer_hz_(timer_hz), tsc_hz_(tsc_hz) {}

  [[nodiscard]] Mode mode() const { return mode_; }
  // Entering or leaving TSC-deadline mode disarms the timer.
  void set_mode(Mode mode);
  [[nodiscard]] std::uint32_t divide() const { return divide_; }
  void set_divide(std::uint32_t value, std::uint64_t now_ns);
  [[nodiscard]] std::uint32_t initial_count() const { return initial_; }
  void set_initial_count(std::uint32_t value, std::uint64_t now_ns);
  [[nodiscard]] std::uint32_t current_count(std::uint64_t now_ns) const;
  // IA32_TSC_DEADLINE; reads 0 when disarmed, writes are ignored in the other modes.
  [[nodiscard]] std::uint64_t tsc_deadline() const { return tsc_deadline_; }
  void set_tsc_deadline(std::uint64_t deadline, std::uint64_t guest_tsc, std::uint64_t now_ns);

  [[nodiscard]] std::uint64_t expiry_ns() const { return expiry_ns_; }
  // True when the timer has expired by `now_ns`; it is then disarmed, or in its next period.
  [[nodiscard]] bool expire(std::uint64_t now_ns);

 private:
  void arm(std::uint32_t count, std::uint64_t now_ns);
  [[nodiscard]] unsigned divide_shift() const;
  [[nodiscard]] std::uint64_t count_to_ns(std::uint32_t count) const;

  std::uint64_t timer_hz_ = kNsPerSecond;
  std::uint64_t tsc_hz_ = kNsPerSecond;
  std::uint64_t expiry_ns_ = kNever;
  std::uint64_t period_ns_ = 0;
  std::uint64_t tsc_deadline_ = 0;
  std::uint32_t initial_ = 0;
  std::uint32_t divide_ = 0;  // the divide configuration register
  Mode mode_ = Mode::kOneShot;
};

}  // namespace archelon::devices
