#include "hv/devices/pit.hpp"

namespace archelon::devices {
namespace {

constexpr unsigned kControl = 3;
constexpr std::uint8_t kPort61Gate2 = 0x01;
constexpr std::uint8_t kPort61Kept = 0x0f;
constexpr std::uint8_t kPort61Refresh = 0x10;
constexpr std::uint8_t kPort61Output2 = 0x20;
constexpr std::uint64_t kRefreshNs = 15'085;

}  // namespace

std::uint8_t Pit::read(unsigned index, std::uint64_t now_ns) {
  return index < kControl ? channels_[index].read(now_ns) : 0xff;  // the control word: write-only
}

void Pit::read_back(std::uint8_t command, std::uint64_t now_ns) {
  for (unsigned i = 0; i < channels_.size(); ++i) {
    if ((command & 2u << i) == 0) {
      continue;
    }
    if ((command & 0x20) == 0) {
      channels_[i].latch_count(now_ns);
    }
    if ((command & 0x10) == 0) {
      channels_[i].latch_status(now_ns);
    }
  }
}

void Pit::write(unsigned index, std::uint8_t value, std::uint64_t now_ns) {
  if (index < kControl) {
    channels_[index].write(value, now_ns);
    return;
  }
  const unsigned selected = value >> 6;
  if (selected == 3) {
    read_back(value, now_ns);
  } else if ((value & 0x30) == 0) {
    channels_[selected].latch_count(now_ns);
  } else {
    channels_[selected].write_control(value, now_ns);
  }
}

std::uint8_t Pit::read_port61(std::uint64_t now_ns) const {
  return static_cast<std::uint8_t>(port61_ | (now_ns / kRefreshNs % 2 != 0 ? kPort61Refresh : 0) |
                                   (channels_[2].output(now_ns) ? kPort61Output2 : 0));
}

void Pit::write_port61(std::uint8_t value, std::uint64_t now_ns) {
  port61_ = value & kPort61Kept;
  channels_[2].set_gate((value & kPort61Gate2) != 0, now_ns);
}

void Pit::reset() {
  *this = Pit();
  channels_[2].set_gate(false, 0);
}

void Pit::firmware_handoff(std::uint64_t now_ns) {
  write(kControl, 0x36, now_ns);
  write(0, 0, now_ns);
  write(0, 0, now_ns);
  write(kControl, 0x54, now_ns);
  write(1, 0x12, now_ns);
}

}  // namespace archelon::devices
