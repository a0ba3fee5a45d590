#pragma once

#include <cstdint>

namespace archelon::devices {

// Delivery modes of ICR, redirection entries and LVT entries (SDM volume 3, "Advanced Programmable
// Interrupt Controller (APIC)"); the values are the encodings.
enum class DeliveryMode : std::uint8_t {
  kFixed = 0,
  kLowestPriority = 1,
  kSmi = 2,
  kReserved = 3,
  kNmi = 4,
  kInit = 5,
  kStartup = 6,
  kExtInt = 7,
};

// Bits 10:8, where every one of those words has its delivery mode.
[[nodiscard]] constexpr DeliveryMode delivery_mode(std::uint64_t word) {
  return static_cast<DeliveryMode>(word >> 8 & 7);
}

// Vectors 0 to 15 are the CPU's own exceptions: no APIC sends or accepts them.
inline constexpr std::uint8_t kFirstLegalVector = 16;

enum class Shorthand : std::uint8_t { kNone = 0, kSelf = 1, kAll = 2, kOthers = 3 };

// What travels from an ICR or an IOAPIC to the local APICs.
struct InterruptMessage {
  std::uint32_t destination = 0;
  std::uint8_t vector = 0;
  DeliveryMode mode = DeliveryMode::kFixed;
  Shorthand shorthand = Shorthand::kNone;
  bool logical = false;
  bool broadcast = false;  // the sender's form of "all"
  bool level_triggered = false;
};

}  // namespace archelon::devices
