#pragma once

#include <cstdint>

#include "drivers/ports.hpp"
#include "hv/base/address.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/instructions.hpp"

// The machine behind the concepts of drivers/ports.hpp.
namespace archelon::drivers {

struct HwPorts {
  static std::uint8_t in8(std::uint16_t port) { return hw::in8(port); }
  static std::uint16_t in16(std::uint16_t port) { return hw::in16(port); }
  static std::uint32_t in32(std::uint16_t port) { return hw::in32(port); }
  static void out8(std::uint16_t port, std::uint8_t value) { hw::out8(port, value); }
  static void out16(std::uint16_t port, std::uint16_t value) { hw::out16(port, value); }
  static void out32(std::uint16_t port, std::uint32_t value) { hw::out32(port, value); }
};
static_assert(IoPorts<HwPorts>);

// Device registers from `base` on, which must have been mapped as device memory.
class HwMmio {
 public:
  constexpr HwMmio() = default;
  constexpr explicit HwMmio(Hpa base) : base_(base) {}

  [[nodiscard]] std::uint32_t read32(std::uint64_t offset) const {
    return *hw::to_pointer<volatile std::uint32_t>(base_ + offset);
  }
  void write32(std::uint64_t offset, std::uint32_t value) const {
    *hw::to_pointer<volatile std::uint32_t>(base_ + offset) = value;
  }

 private:
  Hpa base_;
};
static_assert(MmioRegion<HwMmio>);

}  // namespace archelon::drivers
