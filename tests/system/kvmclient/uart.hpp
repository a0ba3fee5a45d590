// The transmitting half of a 16550, and an empty receiving half.
#pragma once

#include <cstdint>

namespace kvmclient {

class Uart {
 public:
  std::uint8_t read(unsigned reg);
  // True if a character was sent; it is then in `sent`.
  bool write(unsigned reg, std::uint8_t value, char& sent);
  bool interrupt() const { return (ier_ & kThri) != 0 && empty_pending_; }

 private:
  static constexpr std::uint8_t kThri = 2;
  std::uint8_t ier_ = 0;
  std::uint8_t lcr_ = 0;
  std::uint8_t mcr_ = 0;
  std::uint8_t scratch_ = 0;
  std::uint8_t divisor_low_ = 1;
  std::uint8_t divisor_high_ = 0;
  bool fifo_ = false;
  bool empty_pending_ = false;
};

}  // namespace kvmclient
