#pragma once

#include <cstdint>

#include "drivers/ports.hpp"
#include "hv/base/bits.hpp"

namespace archelon::drivers {

// Where an IOAPIC input goes: fixed delivery to the one CPU with that APIC ID.
struct IoApicRoute {
  std::uint8_t vector = 0;
  std::uint8_t destination = 0;  // physical destination
  bool level = false;
  bool active_low = false;
};

// A redirection table entry (82093AA, "I/O Redirection Table Registers").
[[nodiscard]] constexpr std::uint64_t redirection_entry(const IoApicRoute& route, bool masked) {
  return std::uint64_t{route.vector} | (route.active_low ? bit(13) : 0) |
         (route.level ? bit(15) : 0) | (masked ? bit(16) : 0) |
         (std::uint64_t{route.destination} << 56);
}

// One IOAPIC, behind its index and data registers.
template <MmioRegion R>
class IoApic {
 public:
  constexpr IoApic() = default;
  constexpr explicit IoApic(R region) : region_(region) {}

  // The number of inputs; 0 where no IOAPIC answers.
  [[nodiscard]] unsigned inputs() {
    constexpr std::uint32_t kAbsent = ~std::uint32_t{0};
    const std::uint32_t version = read(kVersion);
    const unsigned highest = version == kAbsent ? 0 : bit_field(version, 23, 16) & 0xff;
    return highest == 0 ? 0 : (highest < kMaxInputs ? highest + 1 : kMaxInputs);
  }

  void mask_all() {
    const unsigned count = inputs();
    for (unsigned i = 0; i < count; ++i) {
      write_entry(i, redirection_entry({}, true));
    }
  }

  // Routes and unmasks one input. False where it has no such input.
  [[nodiscard]] bool route(unsigned input, const IoApicRoute& route) {
    if (input >= inputs()) {
      return false;
    }
    write_entry(input, redirection_entry(route, false));
    return true;
  }

  void mask(unsigned input) {
    if (input < inputs()) {
      const std::uint32_t low = read(low_half(input));
      write(low_half(input), low | kMask);
    }
  }

 private:
  static constexpr std::uint64_t kIndex = 0x00, kData = 0x10;
  static constexpr std::uint32_t kVersion = 0x01, kTable = 0x10;
  static constexpr std::uint32_t kMask = 1U << 16;
  static constexpr unsigned kMaxInputs = 120;  // what the index register can reach

  static constexpr std::uint32_t low_half(unsigned input) { return kTable + 2 * input; }

  std::uint32_t read(std::uint32_t index) {
    region_.write32(kIndex, index);
    return region_.read32(kData);
  }
  void write(std::uint32_t index, std::uint32_t value) {
    region_.write32(kIndex, index);
    region_.write32(kData, value);
  }
  // The input stays masked while the halves do not match.
  void write_entry(unsigned input, std::uint64_t entry) {
    write(low_half(input), kMask);
    write(low_half(input) + 1, static_cast<std::uint32_t>(entry >> 32));
    write(low_half(input), static_cast<std::uint32_t>(entry));
  }

  R region_{};
};

}  // namespace archelon::drivers
