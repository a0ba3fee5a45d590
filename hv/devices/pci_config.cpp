#include "hv/devices/pci_config.hpp"

namespace archelon::devices {
namespace {

constexpr unsigned kConfigSize = 256;
constexpr std::uint32_t kEnable = 0x8000'0000;

constexpr unsigned kCommand = 0x04;
constexpr unsigned kCacheLine = 0x0c;
constexpr unsigned kLatency = 0x0d;
constexpr unsigned kInterruptLine = 0x3c;
constexpr std::uint8_t kCommandWritable = 0x07;

// The fixed head of the header: an Intel 440FX host bridge, which every system knows.
constexpr std::array<std::uint8_t, 16> kHeader = {
    0x86, 0x80, 0x37, 0x12,   // vendor 8086h, device 1237h
    0x06, 0x00, 0x00, 0x00,   // command, status
    0x02, 0x00, 0x00, 0x06,   // revision 2, host bridge
    0x00, 0x00, 0x00, 0x00};  // header type 0

}  // namespace

unsigned PciConfig::offset(unsigned lane) const {
  const bool host_bridge = (address_ & kEnable) != 0 && (address_ & 0x00ff'ff00) == 0;
  return host_bridge ? (address_ & 0xfc) + lane : kConfigSize;
}

std::uint8_t PciConfig::read(unsigned lane) const {
  const unsigned at = offset(lane);
  switch (at) {
    case kConfigSize:
      return 0xff;
    case kCommand:
      return command_;
    case kCacheLine:
      return cache_line_;
    case kLatency:
      return latency_;
    case kInterruptLine:
      return interrupt_line_;
    default:
      return at < kHeader.size() ? kHeader[at] : 0;
  }
}

void PciConfig::write(unsigned lane, std::uint8_t value) {
  switch (offset(lane)) {
    case kCommand:
      command_ = value & kCommandWritable;
      break;
    case kCacheLine:
      cache_line_ = value;
      break;
    case kLatency:
      latency_ = value;
      break;
    case kInterruptLine:
      interrupt_line_ = value;
      break;
    default:
      break;
  }
}

void PciConfig::reset() {
  *this = PciConfig();
}

}  // namespace archelon::devices
