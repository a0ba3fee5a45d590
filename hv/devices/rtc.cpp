#include "hv/devices/rtc.hpp"

#include <algorithm>
#include <limits>

#include "hv/devices/platform.hpp"

namespace archelon::devices {
namespace {

enum Index : unsigned {
  kSecond,
  kSecondAlarm,
  kMinute,
  kMinuteAlarm,
  kHour,
  kHourAlarm,
  kWeekday,
  kDay,
  kMonth,
  kYear,
  kA,
  kB,
  kC,
  kD,
};

constexpr std::uint8_t kAUpdateInProgress = 0x80;
constexpr std::uint8_t kB24Hour = 0x02;
constexpr std::uint8_t kBBinary = 0x04;
constexpr std::uint8_t kBUpdateInterrupt = 0x10;
constexpr std::uint8_t kBAlarmInterrupt = 0x20;
constexpr std::uint8_t kBPeriodicInterrupt = 0x40;
constexpr std::uint8_t kBSet = 0x80;
constexpr std::uint8_t kUpdateFlag = 0x10;
constexpr std::uint8_t kAlarmFlag = 0x20;
constexpr std::uint8_t kPeriodicFlag = 0x40;
constexpr std::uint8_t kIrqFlag = 0x80;
constexpr std::uint8_t kDValid = 0x80;

constexpr std::uint64_t kUpdateWindowNs = 244'000;  // UIP rises this long before the update
constexpr std::int64_t kNoAlarm = std::numeric_limits<std::int64_t>::max();

std::uint8_t byte(std::uint64_t value) {
  return static_cast<std::uint8_t>(value);
}

bool is_time(unsigned index) {
  return (index <= kYear && index != kSecondAlarm && index != kMinuteAlarm &&
          index != kHourAlarm) ||
         index == kCmosCentury;
}

}  // namespace

std::int64_t Rtc::seconds(std::uint64_t now_ns) const {
  return base_seconds_ + static_cast<std::int64_t>(now_ns / kNsPerSecond);
}

CalendarTime Rtc::time(std::uint64_t now_ns) const {
  return halted() ? stopped_ : from_unix(seconds(now_ns));
}

void Rtc::set_time(const CalendarTime& t, std::uint64_t now_ns) {
  base_seconds_ = to_unix(t) - static_cast<std::int64_t>(now_ns / kNsPerSecond);
}

std::uint8_t Rtc::encode(unsigned value) const {
  return byte((registers_[kB] & kBBinary) != 0 ? value : value / 10 % 10 << 4 | value % 10);
}

unsigned Rtc::decode(std::uint8_t value) const {
  return (registers_[kB] & kBBinary) != 0 ? value : (value >> 4) * 10u + (value & 0xfu);
}

std::uint8_t Rtc::encode_hour(unsigned hour) const {
  if ((registers_[kB] & kB24Hour) != 0) {
    return encode(hour);
  }
  return byte(encode((hour + 11) % 12 + 1) | (hour >= 12 ? 0x80u : 0u));
}

unsigned Rtc::decode_hour(std::uint8_t value) const {
  if ((registers_[kB] & kB24Hour) != 0) {
    return decode(value);
  }
  return decode(value & 0x7f) % 12 + ((value & 0x80) != 0 ? 12u : 0u);
}

std::uint8_t Rtc::read_time(unsigned index, std::uint64_t now_ns) const {
  const CalendarTime t = time(now_ns);
  const auto year = static_cast<unsigned>(std::max(t.year, 0));
  switch (index) {
    case kSecond:
      return encode(t.second);
    case kMinute:
      return encode(t.minute);
    case kHour:
      return encode_hour(t.hour);
    case kWeekday:
      return t.weekday;
    case kDay:
      return encode(t.day);
    case kMonth:
      return encode(t.month);
    case kYear:
      return encode(year % 100);
    default:
      return encode(year / 100 % 100);
  }
}

// A field outside its range is held to it: the clock always shows a valid time.
void Rtc::write_time(unsigned index, std::uint8_t value, std::uint64_t now_ns) {
  CalendarTime t = time(now_ns);
  const unsigned number = decode(value);
  const auto year = static_cast<unsigned>(std::max(t.year, 0));
  switch (index) {
    case kSecond:
      t.second = byte(std::min(number, 59u));
      break;
    case kMinute:
      t.minute = byte(std::min(number, 59u));
      break;
    case kHour:
      t.hour = byte(std::min(decode_hour(value), 23u));
      break;
    case kWeekday:  // follows from the date
      break;
    case kDay:
      t.day = byte(std::clamp(number, 1u, 31u));
      break;
    case kMonth:
      t.month = byte(std::clamp(number, 1u, 12u));
      break;
    case kYear:
      t.year = static_cast<std::int32_t>(year / 100 * 100 + std::min(number, 99u));
      break;
    default:
      t.year = static_cast<std::int32_t>(std::min(number, 99u) * 100 + year % 100);
      break;
  }
  if (halted()) {
    stopped_ = t;
  } else {
    set_time(t, now_ns);
    restart_flags(now_ns);
  }
}

std::uint64_t Rtc::periodic_hz() const {
  const unsigned rate = registers_[kA] & 0xf;
  if (rate == 0) {
    return 0;
  }
  return 32'768u >> (rate <= 2 ? rate + 6 : rate - 1);
}

// The first second after `after` whose time of day the alarm matches; C0h-FFh match anything.
std::int64_t Rtc::next_alarm(std::int64_t after) const {
  constexpr unsigned kAny = 0xffff;
  const auto field = [&](unsigned index) {
    const std::uint8_t value = registers_[index];
    return value >= 0xc0 ? kAny : index == kHourAlarm ? decode_hour(value) : decode(value);
  };
  const unsigned hour = field(kHourAlarm);
  const unsigned minute = field(kMinuteAlarm);
  const unsigned second = field(kSecondAlarm);
  const auto out_of_range = [](unsigned value, unsigned end) {
    return value >= end && value != kAny;
  };
  if (out_of_range(hour, 24) || out_of_range(minute, 60) || out_of_range(second, 60)) {
    return kNoAlarm;
  }
  // Steps over whole hours and minutes that do not match: at most 24 + 60 + 60 steps.
  std::int64_t t = after + 1;
  while (true) {
    const CalendarTime c = from_unix(t);
    if (hour != kAny && c.hour != hour) {
      t += 3'600 - c.minute * 60 - c.second;
    } else if (minute != kAny && c.minute != minute) {
      t += 60 - c.second;
    } else if (second != kAny && c.second != second) {
      ++t;
    } else {
      return t;
    }
  }
}

// Brings flags_ up to date.
void Rtc::advance(std::uint64_t now_ns) {
  const std::int64_t second = seconds(now_ns);
  if (!halted() && second > seen_second_) {
    flags_ |= kUpdateFlag;
    seen_second_ = second;
    if (next_alarm_second_ <= second) {
      flags_ |= kAlarmFlag;
      next_alarm_second_ = next_alarm(second);
    }
  }
  if (const std::uint64_t hz = periodic_hz(); hz != 0) {
    const std::uint64_t period = ns_to_ticks(now_ns, hz);
    if (period > seen_period_) {
      flags_ |= kPeriodicFlag;
      seen_period_ = period;
    }
  }
  update_deadline();
}

// After a change of time, alarm or rate: what lies before now no longer counts.
void Rtc::restart_flags(std::uint64_t now_ns) {
  seen_second_ = seconds(now_ns);
  next_alarm_second_ = next_alarm(seen_second_);
  const std::uint64_t hz = periodic_hz();
  seen_period_ = hz != 0 ? ns_to_ticks(now_ns, hz) : 0;
  update_deadline();
}

void Rtc::update_deadline() {
  deadline_ns_ = kNever;
  const std::uint8_t wanted = interrupts_enabled();
  if (wanted == 0 || line()) {  // once raised, nothing changes until register C is read
    return;
  }
  const auto at_second = [&](std::int64_t second) {
    const auto since_start =
        static_cast<std::uint64_t>(std::max<std::int64_t>(second - base_seconds_, 0));
    return since_start >= kNever / kNsPerSecond ? kNever : since_start * kNsPerSecond;
  };
  if ((wanted & kBUpdateInterrupt) != 0 && !halted()) {
    deadline_ns_ = at_second(seen_second_ + 1);
  }
  if ((wanted & kBAlarmInterrupt) != 0 && !halted() && next_alarm_second_ != kNoAlarm) {
    deadline_ns_ = std::min(deadline_ns_, at_second(next_alarm_second_));
  }
  if (const std::uint64_t hz = periodic_hz(); (wanted & kBPeriodicInterrupt) != 0 && hz != 0) {
    deadline_ns_ = std::min(deadline_ns_, ticks_to_ns(seen_period_ + 1, hz));
  }
}

std::uint8_t Rtc::read(std::uint64_t now_ns) {
  const unsigned index = index_ & 0x7f;
  if (is_time(index)) {
    return read_time(index, now_ns);
  }
  switch (index) {
    case kA: {
      const bool updating = !halted() && now_ns % kNsPerSecond >= kNsPerSecond - kUpdateWindowNs;
      return byte(registers_[kA] | (updating ? kAUpdateInProgress : 0u));
    }
    case kC: {
      advance(now_ns);
      const std::uint8_t value = byte(flags_ | (line() ? kIrqFlag : 0u));
      flags_ = 0;
      update_deadline();
      return value;
    }
    case kD:
      return kDValid;
    default:
      return registers_[index];
  }
}

void Rtc::write_control(std::uint8_t value, std::uint64_t now_ns) {
  advance(now_ns);
  const bool was_halted = halted();
  const CalendarTime t = time(now_ns);
  // Setting SET clears the update interrupt enable (MC146818 data sheet, register B).
  registers_[kB] = (value & kBSet) != 0 ? value & ~unsigned{kBUpdateInterrupt} & 0xff : value;
  if (halted()) {
    stopped_ = t;
  } else if (was_halted) {
    set_time(stopped_, now_ns);
    restart_flags(now_ns);
  }
  next_alarm_second_ = next_alarm(seen_second_);  // the data mode may have changed
  update_deadline();
}

void Rtc::write(std::uint8_t value, std::uint64_t now_ns) {
  const unsigned index = index_ & 0x7f;
  if (is_time(index)) {
    write_time(index, value, now_ns);
    return;
  }
  switch (index) {
    case kA:
      advance(now_ns);
      registers_[kA] = value & 0x7f;
      restart_flags(now_ns);
      break;
    case kB:
      write_control(value, now_ns);
      break;
    case kC:
    case kD:
      break;
    case kSecondAlarm:
    case kMinuteAlarm:
    case kHourAlarm:
      advance(now_ns);
      registers_[index] = value;
      restart_flags(now_ns);
      break;
    default:
      registers_[index] = value;
      break;
  }
}

void Rtc::reset(std::int64_t wall_clock_seconds, std::uint64_t now_ns) {
  base_seconds_ = wall_clock_seconds;
  registers_ = {};
  registers_[kA] = 0x26;  // 32.768 kHz time base, 1,024 Hz
  registers_[kB] = kB24Hour;
  index_ = 0;
  flags_ = 0;
  restart_flags(now_ns);
}

void Rtc::describe_memory(std::uint64_t below_4g, std::uint64_t above_4g) {
  constexpr std::uint64_t kKib = 1024;
  constexpr std::uint64_t kMib = 1024 * kKib;
  const auto above = [](std::uint64_t size, std::uint64_t from) {
    return size > from ? size - from : 0;
  };
  const auto store = [&](unsigned index, std::uint64_t value) {
    registers_[index] = byte(value);
    registers_[index + 1] = byte(value >> 8);
  };
  const std::uint64_t extended = std::min(above(below_4g, kMib) / kKib, std::uint64_t{0xffff});
  store(0x15, 640);
  store(0x17, extended);
  store(0x30, extended);
  store(0x34, std::min(above(below_4g, 16 * kMib) / (64 * kKib), std::uint64_t{0xffff}));
  store(0x5b, above_4g / (64 * kKib));
  registers_[0x5d] = byte(above_4g / (64 * kKib) >> 16);
  registers_[0x14] = 0x02;  // equipment: a numeric coprocessor, no diskette, no display
  unsigned sum = 0;
  for (unsigned i = 0x10; i <= 0x2d; ++i) {
    sum += registers_[i];
  }
  registers_[0x2e] = byte(sum >> 8);
  registers_[0x2f] = byte(sum);
}

}  // namespace archelon::devices
