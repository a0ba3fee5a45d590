#pragma once

#include <cstdint>
#include <optional>

#include "drivers/ports.hpp"

// The counters that a PC may have to measure time with; each is a ReferenceCounter.
namespace archelon::drivers {

// IA-PC HPET Specification, "Register Overview".
template <MmioRegion R>
class HpetCounter {
 public:
  // Starts the HPET behind `region` if need be; nothing where what answers is no working HPET.
  [[nodiscard]] static std::optional<HpetCounter> open(R region) {
    constexpr std::uint64_t kFemtosecondsPerSecond = 1'000'000'000'000'000;
    constexpr std::uint32_t kMaxPeriod = 100'000'000;
    const std::uint32_t period = region.read32(kPeriod);
    if (period == 0 || period > kMaxPeriod) {
      return std::nullopt;
    }
    region.write32(kConfiguration, region.read32(kConfiguration) | kEnable);
    return HpetCounter(region, kFemtosecondsPerSecond / period);
  }

  // The low half: read at once, and 32 bits last for more than 40 s at the highest rate in use.
  [[nodiscard]] std::uint64_t read() { return region_.read32(kCounter); }
  [[nodiscard]] std::uint64_t mask() const { return ~std::uint32_t{0}; }
  [[nodiscard]] std::uint64_t frequency_hz() const { return hz_; }

 private:
  HpetCounter(R region, std::uint64_t hz) : region_(region), hz_(hz) {}

  static constexpr std::uint64_t kPeriod = 0x004, kConfiguration = 0x010, kCounter = 0x0f0;
  static constexpr std::uint32_t kEnable = 1;

  R region_;
  std::uint64_t hz_;
};

// ACPI, "Power Management Timer". 24 bits are counted in any case.
template <IoPorts P>
class PmTimerCounter {
 public:
  PmTimerCounter(P ports, std::uint16_t port) : ports_(ports), port_(port) {}

  [[nodiscard]] std::uint64_t read() { return ports_.in32(port_) & mask(); }
  [[nodiscard]] std::uint64_t mask() const { return 0xff'ffff; }
  [[nodiscard]] std::uint64_t frequency_hz() const { return 3'579'545; }

 private:
  P ports_;
  std::uint16_t port_;
};

// Channel 2 of the 8254, whose gate and speaker are at port 0x61. It counts down from 65536 over
// and over (mode 2), which read() turns around. Source: 8254 data sheet, "Programming the 8254".
template <IoPorts P>
class PitCounter {
 public:
  explicit PitCounter(P ports) : ports_(ports) {
    constexpr std::uint8_t kGate = 1, kSpeaker = 2;
    constexpr std::uint8_t kChannel2Mode2 = 0xb4;  // both bytes, rate generator
    const std::uint8_t control = ports_.in8(kControl);
    ports_.out8(kControl, static_cast<std::uint8_t>((control & ~kSpeaker) | kGate));
    ports_.out8(kCommand, kChannel2Mode2);
    ports_.out8(kData, 0);
    ports_.out8(kData, 0);
  }

  [[nodiscard]] std::uint64_t read() {
    constexpr std::uint8_t kLatchChannel2 = 0x80;
    ports_.out8(kCommand, kLatchChannel2);
    const unsigned low = ports_.in8(kData);
    const unsigned high = ports_.in8(kData);
    return (0x10000U - (high << 8 | low)) & 0xffff;
  }
  [[nodiscard]] std::uint64_t mask() const { return 0xffff; }
  [[nodiscard]] std::uint64_t frequency_hz() const { return 1'193'182; }

 private:
  static constexpr std::uint16_t kData = 0x42, kCommand = 0x43, kControl = 0x61;
  P ports_;
};

}  // namespace archelon::drivers
