#include "drivers/hw/uart16550.hpp"

#include "hv/hw/instructions.hpp"

namespace archelon::drivers {
namespace {

// Register offsets and bits: PC16550D data sheet, "Registers".
enum Register : std::uint16_t {
  kData = 0,
  kInterruptEnable = 1,
  kFifoControl = 2,
  kInterruptIdentity = 2,
  kLineControl = 3,
  kModemControl = 4,
  kLineStatus = 5,
  kScratch = 7,
};
constexpr std::uint8_t kLine8n1 = 0x03;
constexpr std::uint8_t kDivisorAccess = 0x80;
constexpr std::uint8_t kFifoEnableAndClear = 0x07;
constexpr std::uint8_t kFifosEnabled = 0xc0;
constexpr std::uint8_t kDtrRts = 0x03;
constexpr std::uint8_t kDataReady = 0x01;
constexpr std::uint8_t kTransmitterEmpty = 0x20;
constexpr std::uint8_t kTransmitterIdle = 0x40;
constexpr std::uint32_t kBaud = 115200;

}  // namespace

bool Uart16550::init(std::uint16_t port, std::uint32_t clock_hz) {
  const auto write = [port](Register r, std::uint32_t value) {
    hw::out8(static_cast<std::uint16_t>(port + r), static_cast<std::uint8_t>(value));
  };
  const auto read = [port](Register r) { return hw::in8(static_cast<std::uint16_t>(port + r)); };

  port_ = 0;
  // An absent device reads all ones (or zeros) whatever was written.
  for (const std::uint8_t probe : {std::uint8_t{0x5a}, std::uint8_t{0xa5}}) {
    write(kScratch, probe);
    if (read(kScratch) != probe) {
      return false;
    }
  }
  std::uint32_t divisor = clock_hz / 16 / kBaud;
  divisor = divisor == 0 ? 1 : divisor;
  write(kInterruptEnable, 0);
  write(kLineControl, kDivisorAccess | kLine8n1);
  write(kData, divisor & 0xff);
  write(kInterruptEnable, divisor >> 8);
  write(kLineControl, kLine8n1);
  write(kFifoControl, kFifoEnableAndClear);
  fifo_size_ = (read(kInterruptIdentity) & kFifosEnabled) == kFifosEnabled ? 16 : 1;
  write(kModemControl, kDtrRts);
  port_ = port;
  return true;
}

std::size_t Uart16550::write_some(std::span<const char> bytes) {
  if (port_ == 0) {
    return bytes.size();
  }
  if ((hw::in8(static_cast<std::uint16_t>(port_ + kLineStatus)) & kTransmitterEmpty) == 0) {
    return 0;
  }
  const std::size_t count = bytes.size() < fifo_size_ ? bytes.size() : fifo_size_;
  for (std::size_t i = 0; i < count; ++i) {
    hw::out8(static_cast<std::uint16_t>(port_ + kData), static_cast<std::uint8_t>(bytes[i]));
  }
  return count;
}

bool Uart16550::is_idle() const {
  return port_ == 0 ||
         (hw::in8(static_cast<std::uint16_t>(port_ + kLineStatus)) & kTransmitterIdle) != 0;
}

std::optional<char> Uart16550::read() {
  if (port_ == 0 || (hw::in8(static_cast<std::uint16_t>(port_ + kLineStatus)) & kDataReady) == 0) {
    return std::nullopt;
  }
  return static_cast<char>(hw::in8(static_cast<std::uint16_t>(port_ + kData)));
}

}  // namespace archelon::drivers
