#include "hv/devices/pit_channel.hpp"

#include <algorithm>
#include <utility>

namespace archelon::devices {
namespace {

std::uint32_t from_bcd(std::uint16_t value) {
  return (value & 0xfu) + (value >> 4 & 0xfu) * 10 + (value >> 8 & 0xfu) * 100 +
         (value >> 12 & 0xfu) * 1000;
}

std::uint16_t to_bcd(std::uint32_t value) {
  return static_cast<std::uint16_t>(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 |
                                    value / 1000 % 10 << 12);
}

}  // namespace

std::uint64_t PitChannel::elapsed(std::uint64_t now_ns) const {
  if (!running_ || now_ns < start_ns_) {
    return ticks_before_start_;
  }
  return ticks_before_start_ + ns_to_ticks(now_ns - start_ns_, kPitHz);
}

std::uint16_t PitChannel::count(std::uint64_t now_ns) const {
  const std::uint64_t ticks = triggered_ ? elapsed(now_ns) : 0;
  const std::uint32_t modulus = bcd_ ? 10000 : 0x10000;
  std::uint64_t left = 0;
  if (mode_ == 2) {
    left = reload_ - ticks % reload_;
  } else if (mode_ == 3) {
    left = reload_ - ticks * 2 % reload_;
  } else {
    left = reload_ + modulus - ticks % modulus;
  }
  const auto value = static_cast<std::uint32_t>(left % modulus);
  return bcd_ ? to_bcd(value) : static_cast<std::uint16_t>(value);
}

bool PitChannel::output(std::uint64_t now_ns) const {
  if (!loaded_ || !triggered_) {
    return mode_ != 0;
  }
  const std::uint64_t ticks = elapsed(now_ns);
  switch (mode_) {
    case 2:
      return !running_ || ticks % reload_ != reload_ - 1;
    case 3:
      return !running_ || ticks % reload_ < (reload_ + 1) / 2;
    case 4:
    case 5:
      return ticks != reload_;
    default:
      return ticks >= reload_;
  }
}

std::optional<std::uint64_t> PitChannel::edge_after(std::uint64_t tick) const {
  if (!loaded_ || !triggered_ || !running_) {
    return std::nullopt;
  }
  if (periodic()) {
    return (tick / reload_ + 1) * reload_;
  }
  const std::uint64_t edge = mode_ >= 4 ? reload_ + 1 : reload_;
  return tick < edge ? std::optional(edge) : std::nullopt;
}

std::uint64_t PitChannel::next_edge_ns() const {
  const auto edge = edge_after(reported_tick_);
  if (!edge) {
    return kNever;
  }
  return saturating_add(start_ns_,
                        ticks_to_ns(*edge - std::min(*edge, ticks_before_start_), kPitHz));
}

bool PitChannel::take_edge(std::uint64_t now_ns) {
  const auto edge = edge_after(reported_tick_);
  const std::uint64_t tick = elapsed(now_ns);
  if (!edge || tick < *edge) {
    return false;
  }
  constexpr std::uint64_t kMinimumTicks = ns_to_ticks(kMinimumPeriodNs, kPitHz);
  const bool too_fast = periodic() && reload_ < kMinimumTicks;
  reported_tick_ = too_fast ? tick + kMinimumTicks : tick;
  return true;
}

void PitChannel::start(std::uint64_t now_ns) {
  start_ns_ = now_ns;
  ticks_before_start_ = 0;
  reported_tick_ = 0;
  triggered_ = true;
  running_ = gate_ || hardware_triggered();
}

void PitChannel::load(std::uint16_t value, std::uint64_t now_ns) {
  const std::uint32_t count = bcd_ ? from_bcd(value) : value;
  reload_ = count != 0 ? count : (bcd_ ? 10000 : 0x10000);
  if (periodic()) {
    reload_ = std::max<std::uint32_t>(reload_, 2);  // 1 is illegal there
  }
  loaded_ = true;
  if (!hardware_triggered()) {
    start(now_ns);
  }
}

void PitChannel::write_control(std::uint8_t control, std::uint64_t) {
  const unsigned mode = control >> 1 & 7;
  mode_ = static_cast<std::uint8_t>(mode > 5 ? mode - 4 : mode);  // 6 and 7 are 2 and 3
  access_ = control >> 4 & 3;
  bcd_ = (control & 1) != 0;
  loaded_ = triggered_ = running_ = false;
  ticks_before_start_ = 0;
  write_high_next_ = read_high_next_ = false;
  latched_bytes_ = 0;
  status_latched_ = false;
}

void PitChannel::write(std::uint8_t value, std::uint64_t now_ns) {
  switch (access_) {
    case 1:
      load(value, now_ns);
      break;
    case 2:
      load(static_cast<std::uint16_t>(value << 8), now_ns);
      break;
    default:
      if (std::exchange(write_high_next_, !write_high_next_)) {
        load(static_cast<std::uint16_t>(value << 8 | low_byte_), now_ns);
      } else {
        low_byte_ = value;
        if (mode_ == 0) {  // the first byte stops mode 0 and takes its output low
          loaded_ = false;
        }
      }
      break;
  }
}

std::uint8_t PitChannel::read(std::uint64_t now_ns) {
  if (std::exchange(status_latched_, false)) {
    return latched_status_;
  }
  if (latched_bytes_ != 0) {
    const bool high = access_ == 2 || (access_ == 3 && latched_bytes_ == 1);
    --latched_bytes_;
    return static_cast<std::uint8_t>(high ? latched_count_ >> 8 : latched_count_);
  }
  const bool high =
      access_ == 2 || (access_ == 3 && std::exchange(read_high_next_, !read_high_next_));
  const std::uint16_t value = count(now_ns);
  return static_cast<std::uint8_t>(high ? value >> 8 : value);
}

void PitChannel::latch_count(std::uint64_t now_ns) {
  if (latched_bytes_ == 0) {
    latched_count_ = count(now_ns);
    latched_bytes_ = access_ == 3 ? 2 : 1;
  }
}

void PitChannel::latch_status(std::uint64_t now_ns) {
  if (!status_latched_) {
    status_latched_ = true;
    latched_status_ = static_cast<std::uint8_t>((output(now_ns) ? 0x80 : 0) | (loaded_ ? 0 : 0x40) |
                                                access_ << 4 | mode_ << 1 | (bcd_ ? 1 : 0));
  }
}

void PitChannel::set_gate(bool level, std::uint64_t now_ns) {
  if (level == gate_) {
    return;
  }
  if (!level) {
    ticks_before_start_ = elapsed(now_ns);
    running_ = running_ && hardware_triggered();
    if (running_) {
      start_ns_ = now_ns;
    }
    gate_ = false;
    return;
  }
  gate_ = true;
  if (!loaded_) {
    return;
  }
  if (periodic() || hardware_triggered()) {
    start(now_ns);
  } else {
    start_ns_ = now_ns;
    running_ = true;
  }
}

}  // namespace archelon::devices
