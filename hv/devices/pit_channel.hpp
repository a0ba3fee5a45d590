#pragma once

#include <cstdint>
#include <optional>

#include "hv/devices/time.hpp"

namespace archelon::devices {

inline constexpr std::uint64_t kPitHz = 1'193'182;

// One counter of an 8254 (Intel 8254 data sheet), computed from the time since its count was loaded
// rather than stepped. A count takes effect when its last byte is written, in modes 2 and 3 too
// (the chip would finish the current period first).
class PitChannel {
 public:
  // The control word's mode, access and BCD fields; access is 1 to 3.
  void write_control(std::uint8_t control, std::uint64_t now_ns);
  void write(std::uint8_t value, std::uint64_t now_ns);
  [[nodiscard]] std::uint8_t read(std::uint64_t now_ns);
  void latch_count(std::uint64_t now_ns);
  void latch_status(std::uint64_t now_ns);
  void set_gate(bool level, std::uint64_t now_ns);
  [[nodiscard]] bool gate() const { return gate_; }
  [[nodiscard]] bool output(std::uint64_t now_ns) const;

  // When the output next rises, not counting rises that take_edge() has reported.
  [[nodiscard]] std::uint64_t next_edge_ns() const;
  // True when the output rose since the last call; several rises count as one.
  [[nodiscard]] bool take_edge(std::uint64_t now_ns);

 private:
  [[nodiscard]] std::uint64_t elapsed(std::uint64_t now_ns) const;
  [[nodiscard]] std::uint16_t count(std::uint64_t now_ns) const;
  [[nodiscard]] std::optional<std::uint64_t> edge_after(std::uint64_t tick) const;
  [[nodiscard]] bool periodic() const { return mode_ == 2 || mode_ == 3; }
  [[nodiscard]] bool hardware_triggered() const { return mode_ == 1 || mode_ == 5; }
  void load(std::uint16_t value, std::uint64_t now_ns);
  void start(std::uint64_t now_ns);

  std::uint64_t start_ns_ = 0;
  std::uint64_t ticks_before_start_ = 0;  // counted before the gate last paused the counter
  std::uint64_t reported_tick_ = 0;
  std::uint32_t reload_ = 0x10000;
  std::uint16_t latched_count_ = 0;
  std::uint8_t latched_bytes_ = 0;  // of latched_count_, still to be read
  std::uint8_t latched_status_ = 0;
  std::uint8_t low_byte_ = 0;
  std::uint8_t mode_ = 0;
  std::uint8_t access_ = 3;
  bool bcd_ = false;
  bool status_latched_ = false;
  bool write_high_next_ = false;
  bool read_high_next_ = false;
  bool loaded_ = false;     // a count was written since the control word
  bool triggered_ = false;  // the count is, or was, being counted down
  bool running_ = false;    // time passes: not paused by the gate
  bool gate_ = true;
};

}  // namespace archelon::devices
