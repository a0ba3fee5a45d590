#include "hv/devices/lapic_timer.hpp"

#include <algorithm>

namespace archelon::devices {

// Bits 3, 1 and 0 select 2, 4, 8, 16, 32, 64, 128, and 1 for 111b.
unsigned LapicTimer::divide_shift() const {
  return (((divide_ >> 1 & 4) | (divide_ & 3)) + 1) & 7;
}

std::uint64_t LapicTimer::count_to_ns(std::uint32_t count) const {
  return ticks_to_ns(std::uint64_t{count} << divide_shift(), timer_hz_);
}

void LapicTimer::set_mode(Mode mode) {
  if (mode != mode_ && (mode == Mode::kTscDeadline || mode_ == Mode::kTscDeadline)) {
    expiry_ns_ = kNever;
    initial_ = 0;
    tsc_deadline_ = 0;
  }
  mode_ = mode;
}

void LapicTimer::arm(std::uint32_t count, std::uint64_t now_ns) {
  period_ns_ = std::max(count_to_ns(initial_), kMinimumPeriodNs);
  expiry_ns_ = count == 0 ? kNever : saturating_add(now_ns, count_to_ns(count));
}

void LapicTimer::set_divide(std::uint32_t value, std::uint64_t now_ns) {
  const std::uint32_t left = current_count(now_ns);
  const bool running = expiry_ns_ != kNever && mode_ != Mode::kTscDeadline;
  divide_ = value & 0xb;
  if (running) {
    arm(std::max(left, 1u), now_ns);
  }
}

void LapicTimer::set_initial_count(std::uint32_t value, std::uint64_t now_ns) {
  if (mode_ == Mode::kTscDeadline) {
    return;
  }
  initial_ = value;
  arm(value, now_ns);
}

std::uint32_t LapicTimer::current_count(std::uint64_t now_ns) const {
  if (expiry_ns_ == kNever || mode_ == Mode::kTscDeadline) {
    return 0;
  }
  std::uint64_t left = 0;
  if (now_ns < expiry_ns_) {
    left = expiry_ns_ - now_ns;
  } else if (mode_ == Mode::kPeriodic) {
    left = period_ns_ - (now_ns - expiry_ns_) % period_ns_;
  }
  const std::uint64_t count = rescale_up(left, kNsPerSecond, timer_hz_) >> divide_shift();
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, initial_));
}

void LapicTimer::set_tsc_deadline(std::uint64_t deadline, std::uint64_t guest_tsc,
                                  std::uint64_t now_ns) {
  if (mode_ != Mode::kTscDeadline) {
    return;
  }
  tsc_deadline_ = deadline;
  if (deadline == 0) {
    expiry_ns_ = kNever;
  } else if (deadline <= guest_tsc) {
    expiry_ns_ = now_ns;
  } else {
    expiry_ns_ = saturating_add(now_ns, ticks_to_ns(deadline - guest_tsc, tsc_hz_));
  }
}

bool LapicTimer::expire(std::uint64_t now_ns) {
  if (now_ns < expiry_ns_) {
    return false;
  }
  if (mode_ == Mode::kPeriodic) {
    // Whole periods later, so that the phase stays; expiries missed meanwhile count as one.
    expiry_ns_ += period_ns_ * ((now_ns - expiry_ns_) / period_ns_ + 1);
  } else {
    expiry_ns_ = kNever;
    tsc_deadline_ = 0;
  }
  return true;
}

}  // namespace archelon::devices
