#include "uart.hpp"

namespace kvmclient {

namespace {
constexpr std::uint8_t kDlab = 0x80;
constexpr std::uint8_t kLoop = 0x10;
}  // namespace

std::uint8_t Uart::read(unsigned reg) {
  switch (reg) {
    case 0:
      return (lcr_ & kDlab) != 0 ? divisor_low_ : 0;
    case 1:
      return (lcr_ & kDlab) != 0 ? divisor_high_ : ier_;
    case 2: {
      const std::uint8_t fifo = fifo_ ? 0xc0 : 0;
      if (!interrupt()) return static_cast<std::uint8_t>(1 | fifo);
      empty_pending_ = false;
      return static_cast<std::uint8_t>(2 | fifo);
    }
    case 3:
      return lcr_;
    case 4:
      return mcr_;
    case 5:
      return 0x60;  // transmitter empty
    case 6:
      // In loop-back the modem lines show MCR's bits.
      if ((mcr_ & kLoop) == 0) return 0xb0;
      return static_cast<std::uint8_t>((mcr_ & 1) << 5 | (mcr_ & 2) << 3 | (mcr_ & 0xc) << 4);
    default:
      return scratch_;
  }
}

bool Uart::write(unsigned reg, std::uint8_t value, char& sent) {
  switch (reg) {
    case 0:
      if ((lcr_ & kDlab) != 0) {
        divisor_low_ = value;
        return false;
      }
      empty_pending_ = true;
      if ((mcr_ & kLoop) != 0) return false;
      sent = static_cast<char>(value);
      return true;
    case 1:
      if ((lcr_ & kDlab) != 0) {
        divisor_high_ = value;
        return false;
      }
      if ((value & kThri) != 0 && (ier_ & kThri) == 0) empty_pending_ = true;
      ier_ = value & 0xf;
      return false;
    case 2:
      fifo_ = (value & 1) != 0;
      return false;
    case 3:
      lcr_ = value;
      return false;
    case 4:
      mcr_ = value & 0x1f;
      return false;
    case 7:
      scratch_ = value;
      return false;
    default:
      return false;
  }
}

}  // namespace kvmclient
