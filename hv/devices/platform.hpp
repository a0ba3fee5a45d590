#pragma once

#include <cstdint>

#include "hv/base/address.hpp"

// Where the devices of a VM's PC are: shared by the machine and by the ACPI tables that describe
// it.
namespace archelon::devices {

inline constexpr unsigned kMaxCpus = 16;

inline constexpr Gpa1 kLapicBase{0xfee0'0000};
inline constexpr Gpa1 kIoapicBase{0xfec0'0000};
inline constexpr unsigned kIoapicPins = 24;

// Legacy (ISA) interrupt lines. Line 0 reaches IOAPIC pin 2, every other line the pin of its
// number.
inline constexpr unsigned kPitIrq = 0;
inline constexpr unsigned kUartIrq = 4;
inline constexpr unsigned kRtcIrq = 8;
inline constexpr unsigned kSciIrq = 9;
inline constexpr unsigned kPitIoapicPin = 2;
inline constexpr unsigned kPicIoapicPin = 0;  // the 8259s' INTR output

inline constexpr std::uint16_t kUartPort = 0x3f8;
inline constexpr std::uint16_t kPmPort = 0x600;
inline constexpr std::uint16_t kPm1EventPort = kPmPort;
inline constexpr std::uint16_t kPm1ControlPort = kPmPort + 4;
inline constexpr std::uint16_t kPmTimerPort = kPmPort + 8;
inline constexpr std::uint16_t kPmPortCount = 12;
inline constexpr std::uint16_t kResetPort = 0xcf9;
inline constexpr std::uint8_t kResetValue = 0x06;
inline constexpr unsigned kSleepTypeS5 = 5;
inline constexpr std::uint8_t kCmosCentury = 0x32;

// RAM that does not fit below this address goes on at 4 GiB; between the two is the MMIO hole.
inline constexpr std::uint64_t kDefaultLowMemoryLimit = 0xc000'0000;

}  // namespace archelon::devices
