#pragma once

#include "drivers/ports.hpp"

namespace archelon::drivers {

// Puts both 8259s out of use: initialised, so that a spurious interrupt comes as one of the 16
// vectors from `vector_base` (a multiple of 8) and not as an exception, and fully masked.
// Source: 8259A data sheet, "Programming the 8259A".
template <IoPorts P>
void disable_8259(P& ports, std::uint8_t vector_base) {
  constexpr std::uint16_t kCommand[] = {0x20, 0xa0}, kData[] = {0x21, 0xa1};
  constexpr std::uint8_t kInit = 0x11;         // ICW1: cascade, edge, ICW4 follows
  constexpr std::uint8_t kCascade[] = {4, 2};  // ICW3: slave on line 2 / slave ID 2
  constexpr std::uint8_t kMode8086 = 0x01;     // ICW4
  constexpr std::uint8_t kAllMasked = 0xff;    // OCW1
  for (unsigned i = 0; i < 2; ++i) {
    ports.out8(kData[i], kAllMasked);
    ports.out8(kCommand[i], kInit);
    ports.out8(kData[i], static_cast<std::uint8_t>(vector_base + 8 * i));
    ports.out8(kData[i], kCascade[i]);
    ports.out8(kData[i], kMode8086);
    ports.out8(kData[i], kAllMasked);
  }
}

}  // namespace archelon::drivers
