#pragma once

#include <array>
#include <cstdint>

#include "hv/devices/pit_channel.hpp"

namespace archelon::devices {

// The 8254 at ports 40h-43h and the system control port B (61h) that gates its channel 2.
class Pit {
 public:
  [[nodiscard]] std::uint8_t read(unsigned index, std::uint64_t now_ns);
  void write(unsigned index, std::uint8_t value, std::uint64_t now_ns);
  [[nodiscard]] std::uint8_t read_port61(std::uint64_t now_ns) const;
  void write_port61(std::uint8_t value, std::uint64_t now_ns);

  // IRQ0 is channel 0's rising output.
  [[nodiscard]] std::uint64_t next_edge_ns() const { return channels_[0].next_edge_ns(); }
  [[nodiscard]] bool take_edge(std::uint64_t now_ns) { return channels_[0].take_edge(now_ns); }

  void reset();
  // Channel 0 in mode 3 with the longest period (18.2 Hz), channel 1 as the refresh timer.
  void firmware_handoff(std::uint64_t now_ns);

 private:
  void read_back(std::uint8_t command, std::uint64_t now_ns);

  std::array<PitChannel, 3> channels_{};
  std::uint8_t port61_ = 0;
};

}  // namespace archelon::devices
