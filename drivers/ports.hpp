#pragma once

#include <concepts>
#include <cstdint>

// How the pure drivers touch devices; drivers/hw/ports.hpp has the real ones, tests have fakes.
namespace archelon::drivers {

// x86 I/O ports.
template <class P>
concept IoPorts = requires(P ports, std::uint16_t port, std::uint8_t v8, std::uint16_t v16,
                           std::uint32_t v32) {
  { ports.in8(port) } -> std::same_as<std::uint8_t>;
  { ports.in16(port) } -> std::same_as<std::uint16_t>;
  { ports.in32(port) } -> std::same_as<std::uint32_t>;
  ports.out8(port, v8);
  ports.out16(port, v16);
  ports.out32(port, v32);
};

// A block of memory-mapped registers, by byte offset.
template <class R>
concept MmioRegion = requires(R region, std::uint64_t offset, std::uint32_t v32) {
  { region.read32(offset) } -> std::same_as<std::uint32_t>;
  region.write32(offset, v32);
};

}  // namespace archelon::drivers
