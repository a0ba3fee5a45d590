#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "hv/devices/byte_ring.hpp"

namespace archelon::devices {

// A 16550A (National Semiconductor PC16550D data sheet) whose transmitter takes no time: THRE and
// TEMT are always set, and the THRE interrupt is raised again as soon as a byte is written.
// Registers are numbered 0 to 7 from the base port.
class Uart {
 public:
  constexpr Uart() = default;

  [[nodiscard]] std::uint8_t read(unsigned index);
  // The byte that leaves on the wire, if any.
  [[nodiscard]] std::optional<std::uint8_t> write(unsigned index, std::uint8_t value);
  // A byte arrives; it waits behind the FIFO while that is full. False when it had to be dropped.
  bool receive(std::uint8_t byte);

  // The interrupt output as the PC wires it: gated by OUT2.
  [[nodiscard]] bool line() const;
  // True once after the output fell and rose again within one write: a transmitted byte ends one
  // THRE interrupt and begins the next, and an edge-triggered input must see both.
  [[nodiscard]] bool take_dip();

  // Registers to power-on state; input not yet read is kept.
  void reset();

 private:
  static constexpr std::size_t kFifoDepth = 16;
  static constexpr std::size_t kBacklog = 1024;

  [[nodiscard]] bool fifo_enabled() const;
  [[nodiscard]] bool loopback() const;
  [[nodiscard]] std::uint8_t modem_lines() const;
  [[nodiscard]] std::uint8_t interrupt_id() const;
  [[nodiscard]] std::optional<std::uint8_t> transmit(std::uint8_t byte);
  void write_modem_control(std::uint8_t value);
  void write_fifo_control(std::uint8_t value);
  void refill();

  std::uint8_t interrupt_enable_ = 0;
  std::uint8_t fifo_control_ = 0;
  std::uint8_t line_control_ = 0;
  std::uint8_t modem_control_ = 0;
  std::uint8_t modem_delta_ = 0;
  std::uint8_t scratch_ = 0;
  std::uint8_t divisor_low_ = 1;  // 115200 baud
  std::uint8_t divisor_high_ = 0;
  bool overrun_ = false;
  bool transmit_empty_pending_ = false;
  bool dipped_ = false;
  ByteRing<kFifoDepth> fifo_;
  ByteRing<kBacklog> backlog_;
};

}  // namespace archelon::devices
