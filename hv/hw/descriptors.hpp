#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"

// L0's own descriptor tables. SDM vol. 3A, "Protected-Mode Memory Management" and "64-Bit Mode Task
// Management".
namespace archelon::hw {

inline constexpr std::uint16_t kCodeSelector = 0x08;
inline constexpr std::uint16_t kDataSelector = 0x10;
inline constexpr std::uint16_t kTssSelector = 0x18;

// IST slots (1 based, as gates name them) of the exceptions that may hit on a broken stack.
inline constexpr std::uint8_t kIstNmi = 1;
inline constexpr std::uint8_t kIstDoubleFault = 2;
inline constexpr std::uint8_t kIstMachineCheck = 3;
inline constexpr std::size_t kIstCount = 3;

struct [[gnu::packed]] TaskState {
  std::uint32_t reserved0 = 0;
  std::array<std::uint64_t, 3> rsp{};
  std::uint64_t reserved1 = 0;
  std::array<std::uint64_t, 7> ist{};
  std::uint64_t reserved2 = 0;
  std::uint16_t reserved3 = 0;
  std::uint16_t io_map_base = 104;  // past the limit: no map
};
static_assert(sizeof(TaskState) == 104 && offsetof(TaskState, ist) == 36 &&
              offsetof(TaskState, io_map_base) == 102);

// Null, 64-bit code, data, and the TSS descriptor's two halves.
struct Gdt {
  std::array<std::uint64_t, 5> entries{};
};
static_assert(sizeof(Gdt) == 40);

[[nodiscard]] constexpr Gdt make_gdt(std::uint64_t tss_base) {
  constexpr std::uint64_t kCode64 = 0x00af'9b00'0000'ffff;
  constexpr std::uint64_t kData = 0x00cf'9300'0000'ffff;
  constexpr std::uint64_t kAvailableTss = 0x89;
  const std::uint64_t low = (sizeof(TaskState) - 1) | (bit_field(tss_base, 23, 0) << 16) |
                            (kAvailableTss << 40) | (bit_field(tss_base, 31, 24) << 56);
  return Gdt{{0, kCode64, kData, low, tss_base >> 32}};
}

// An interrupt gate of the 64-bit IDT.
struct Gate {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};
static_assert(sizeof(Gate) == 16);

[[nodiscard]] constexpr Gate make_interrupt_gate(std::uint64_t handler, std::uint8_t ist) {
  constexpr std::uint64_t kInterruptGate = 0x8e;
  return Gate{bit_field(handler, 15, 0) | (std::uint64_t{kCodeSelector} << 16) |
                  (std::uint64_t{ist} << 32) | (kInterruptGate << 40) |
                  (bit_field(handler, 31, 16) << 48),
              handler >> 32};
}

}  // namespace archelon::hw
