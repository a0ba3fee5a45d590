#include "hv/wall_clock.hpp"

#include "hv/hw/instructions.hpp"

namespace archelon::hv {
namespace {

constexpr std::uint16_t kIndexPort = 0x70;
constexpr std::uint16_t kDataPort = 0x71;
constexpr std::uint8_t kStatusA = 0x0a;
constexpr std::uint8_t kStatusB = 0x0b;
constexpr std::uint8_t kUpdateInProgress = 0x80;

std::uint8_t read(std::uint8_t index) {
  hw::out8(kIndexPort, index);
  return hw::in8(kDataPort);
}

ClockRegisters read_all() {
  return {read(0), read(2), read(4), read(7), read(8), read(9)};
}

}  // namespace

std::uint64_t read_wall_clock() {
  // Two equal readings outside an update are consistent; a clock that never stands still is none.
  ClockRegisters last = read_all();
  for (int tries = 0; tries < 1000; ++tries) {
    const ClockRegisters now = read_all();
    if ((read(kStatusA) & kUpdateInProgress) == 0 && now == last) {
      return unix_time(now, read(kStatusB));
    }
    last = now;
  }
  return 0;
}

}  // namespace archelon::hv
