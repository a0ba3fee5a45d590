#pragma once

#include <array>
#include <cstdint>

#include "hv/devices/calendar.hpp"
#include "hv/devices/time.hpp"

namespace archelon::devices {

// An MC146818-compatible real-time clock with 128 bytes of CMOS memory (ports 70h and 71h). Its
// time and flags are computed when looked at; only enabled interrupts have deadlines.
class Rtc {
 public:
  // Power-on state: the clock keeps its time, `wall_clock_seconds` is the Unix time at now_ns 0.
  void reset(std::int64_t wall_clock_seconds, std::uint64_t now_ns);
  // A PC firmware's memory-size bytes, in the registers that its set-up would fill.
  void describe_memory(std::uint64_t below_4g, std::uint64_t above_4g);

  void select(std::uint8_t value) { index_ = value; }
  [[nodiscard]] bool nmi_masked() const { return (index_ & 0x80) != 0; }
  [[nodiscard]] std::uint8_t read(std::uint64_t now_ns);
  void write(std::uint8_t value, std::uint64_t now_ns);

  [[nodiscard]] bool line() const { return (flags_ & interrupts_enabled()) != 0; }
  [[nodiscard]] std::uint64_t next_deadline_ns() const { return deadline_ns_; }
  void advance(std::uint64_t now_ns);

  // Unix time at now_ns 0 as the guest has set it: what survives a reset.
  [[nodiscard]] std::int64_t base_seconds() const { return base_seconds_; }

 private:
  [[nodiscard]] std::uint8_t interrupts_enabled() const { return registers_[0x0b] & 0x70; }
  [[nodiscard]] bool halted() const { return (registers_[0x0b] & 0x80) != 0; }
  [[nodiscard]] std::int64_t seconds(std::uint64_t now_ns) const;
  [[nodiscard]] std::uint64_t periodic_hz() const;
  [[nodiscard]] std::int64_t next_alarm(std::int64_t after) const;
  [[nodiscard]] CalendarTime time(std::uint64_t now_ns) const;
  void set_time(const CalendarTime& t, std::uint64_t now_ns);
  [[nodiscard]] std::uint8_t encode(unsigned value) const;
  [[nodiscard]] unsigned decode(std::uint8_t value) const;
  [[nodiscard]] std::uint8_t encode_hour(unsigned hour) const;
  [[nodiscard]] unsigned decode_hour(std::uint8_t value) const;
  [[nodiscard]] std::uint8_t read_time(unsigned index, std::uint64_t now_ns) const;
  void write_time(unsigned index, std::uint8_t value, std::uint64_t now_ns);
  void write_control(std::uint8_t value, std::uint64_t now_ns);
  void restart_flags(std::uint64_t now_ns);
  void update_deadline();

  std::array<std::uint8_t, 128> registers_{};
  std::uint8_t index_ = 0;
  std::uint8_t flags_ = 0;  // register C without IRQF
  std::int64_t base_seconds_ = 0;
  CalendarTime stopped_{};              // the time while register B's SET holds the clock
  std::int64_t seen_second_ = 0;        // updates and alarms up to here are in flags_
  std::uint64_t seen_period_ = 0;       // periods up to here are in flags_
  std::int64_t next_alarm_second_ = 0;  // after seen_second_
  std::uint64_t deadline_ns_ = kNever;
};

}  // namespace archelon::devices
