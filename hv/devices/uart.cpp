#include "hv/devices/uart.hpp"

#include <utility>

namespace archelon::devices {
namespace {

enum Register : unsigned { kData, kIer, kIirFcr, kLcr, kMcr, kLsr, kMsr, kScr };

constexpr std::uint8_t kIerReceive = 0x01;
constexpr std::uint8_t kIerTransmit = 0x02;
constexpr std::uint8_t kIerLineStatus = 0x04;
constexpr std::uint8_t kIerModemStatus = 0x08;
constexpr std::uint8_t kIerMask = 0x0f;

constexpr std::uint8_t kIirModemStatus = 0x00;
constexpr std::uint8_t kIirNone = 0x01;
constexpr std::uint8_t kIirTransmit = 0x02;
constexpr std::uint8_t kIirReceive = 0x04;
constexpr std::uint8_t kIirLineStatus = 0x06;
constexpr std::uint8_t kIirTimeout = 0x0c;
constexpr std::uint8_t kIirFifo = 0xc0;

constexpr std::uint8_t kFcrEnable = 0x01;
constexpr std::uint8_t kFcrClearReceive = 0x02;
constexpr std::uint8_t kFcrClearTransmit = 0x04;
constexpr std::uint8_t kFcrKept = 0xc9;

constexpr std::uint8_t kLcrDlab = 0x80;

constexpr std::uint8_t kMcrDtr = 0x01;
constexpr std::uint8_t kMcrRts = 0x02;
constexpr std::uint8_t kMcrOut1 = 0x04;
constexpr std::uint8_t kMcrOut2 = 0x08;
constexpr std::uint8_t kMcrLoop = 0x10;
constexpr std::uint8_t kMcrMask = 0x1f;

constexpr std::uint8_t kLsrDataReady = 0x01;
constexpr std::uint8_t kLsrOverrun = 0x02;
constexpr std::uint8_t kLsrTransmitIdle = 0x60;  // THRE and TEMT

constexpr std::uint8_t kMsrCts = 0x10;
constexpr std::uint8_t kMsrDsr = 0x20;
constexpr std::uint8_t kMsrRi = 0x40;
constexpr std::uint8_t kMsrDcd = 0x80;

constexpr std::uint8_t byte(unsigned value) {
  return static_cast<std::uint8_t>(value);
}

}  // namespace

bool Uart::fifo_enabled() const {
  return (fifo_control_ & kFcrEnable) != 0;
}
bool Uart::loopback() const {
  return (modem_control_ & kMcrLoop) != 0;
}

std::uint8_t Uart::modem_lines() const {
  if (!loopback()) {
    return kMsrCts | kMsrDsr | kMsrDcd;  // the other end is always there and ready
  }
  const std::uint8_t mcr = modem_control_;
  return byte(((mcr & kMcrRts) != 0 ? kMsrCts : 0u) | ((mcr & kMcrDtr) != 0 ? kMsrDsr : 0u) |
              ((mcr & kMcrOut1) != 0 ? kMsrRi : 0u) | ((mcr & kMcrOut2) != 0 ? kMsrDcd : 0u));
}

std::uint8_t Uart::interrupt_id() const {
  if ((interrupt_enable_ & kIerLineStatus) != 0 && overrun_) {
    return kIirLineStatus;
  }
  if ((interrupt_enable_ & kIerReceive) != 0 && !fifo_.empty()) {
    constexpr std::size_t kTrigger[] = {1, 4, 8, 14};
    // Below the trigger level the character timeout applies, with no wait: nothing else is coming
    // at a known rate.
    const bool reached = !fifo_enabled() || fifo_.size() >= kTrigger[fifo_control_ >> 6];
    return reached ? kIirReceive : kIirTimeout;
  }
  if ((interrupt_enable_ & kIerTransmit) != 0 && transmit_empty_pending_) {
    return kIirTransmit;
  }
  if ((interrupt_enable_ & kIerModemStatus) != 0 && modem_delta_ != 0) {
    return kIirModemStatus;
  }
  return kIirNone;
}

bool Uart::line() const {
  // In loopback the OUT2 pin is inactive whatever MCR says.
  const bool enabled = (modem_control_ & (kMcrOut2 | kMcrLoop)) == kMcrOut2;
  return enabled && interrupt_id() != kIirNone;
}

bool Uart::take_dip() {
  return std::exchange(dipped_, false);
}

void Uart::refill() {
  const std::size_t depth = fifo_enabled() ? kFifoDepth : 1;
  while (!loopback() && fifo_.size() < depth && !backlog_.empty()) {
    fifo_.push(backlog_.pop());
  }
}

bool Uart::receive(std::uint8_t value) {
  const bool kept = backlog_.push(value);
  refill();
  return kept;
}

std::uint8_t Uart::read(unsigned index) {
  const bool dlab = (line_control_ & kLcrDlab) != 0;
  switch (index) {
    case kData: {
      if (dlab) {
        return divisor_low_;
      }
      const std::uint8_t value = fifo_.pop();
      refill();
      return value;
    }
    case kIer:
      return dlab ? divisor_high_ : interrupt_enable_;
    case kIirFcr: {
      const std::uint8_t id = interrupt_id();
      if (id == kIirTransmit) {
        transmit_empty_pending_ = false;
      }
      return byte(id | (fifo_enabled() ? kIirFifo : 0u));
    }
    case kLcr:
      return line_control_;
    case kMcr:
      return modem_control_;
    case kLsr: {
      const bool overrun = std::exchange(overrun_, false);
      return byte(kLsrTransmitIdle | (overrun ? kLsrOverrun : 0u) |
                  (fifo_.empty() ? 0u : kLsrDataReady));
    }
    case kMsr:
      return byte(modem_lines() | std::exchange(modem_delta_, std::uint8_t{0}));
    case kScr:
      return scratch_;
    default:
      return 0xff;
  }
}

std::optional<std::uint8_t> Uart::transmit(std::uint8_t value) {
  transmit_empty_pending_ = false;
  dipped_ = !line();
  transmit_empty_pending_ = true;
  if (!loopback()) {
    return value;
  }
  if (fifo_.size() == (fifo_enabled() ? kFifoDepth : 1)) {
    overrun_ = true;
  } else {
    fifo_.push(value);
  }
  return std::nullopt;
}

void Uart::write_modem_control(std::uint8_t value) {
  const std::uint8_t before = modem_lines();
  modem_control_ = value & kMcrMask;
  const std::uint8_t after = modem_lines();
  const unsigned changed = (before ^ after) & (kMsrCts | kMsrDsr | kMsrDcd);
  const unsigned ring_ended = before & ~unsigned{after} & kMsrRi;
  modem_delta_ = byte(modem_delta_ | (changed >> 4) | (ring_ended >> 4));
  refill();
}

void Uart::write_fifo_control(std::uint8_t value) {
  const bool switched = ((value ^ fifo_control_) & kFcrEnable) != 0;
  if (switched || (value & kFcrClearReceive) != 0) {
    fifo_.clear();
  }
  if (switched || (value & kFcrClearTransmit) != 0) {
    transmit_empty_pending_ = true;
  }
  // With the FIFOs off the other bits are not programmed.
  fifo_control_ = (value & kFcrEnable) != 0 ? value & kFcrKept : 0;
  refill();
}

std::optional<std::uint8_t> Uart::write(unsigned index, std::uint8_t value) {
  const bool dlab = (line_control_ & kLcrDlab) != 0;
  switch (index) {
    case kData:
      if (!dlab) {
        return transmit(value);
      }
      divisor_low_ = value;
      break;
    case kIer:
      if (dlab) {
        divisor_high_ = value;
        break;
      }
      // Enabling the interrupt while the holding register is empty raises it at once; Linux's
      // driver tests for that.
      if ((value & ~unsigned{interrupt_enable_} & kIerTransmit) != 0) {
        transmit_empty_pending_ = true;
      }
      interrupt_enable_ = value & kIerMask;
      break;
    case kIirFcr:
      write_fifo_control(value);
      break;
    case kLcr:
      line_control_ = value;
      break;
    case kMcr:
      write_modem_control(value);
      break;
    case kScr:
      scratch_ = value;
      break;
    default:  // LSR and MSR are read-only
      break;
  }
  return std::nullopt;
}

void Uart::reset() {
  const Uart before = *this;
  *this = Uart();
  fifo_ = before.fifo_;
  backlog_ = before.backlog_;
}

}  // namespace archelon::devices
