#pragma once

#include <concepts>
#include <cstdint>

namespace archelon {

// The mask with the one bit `n` set.
[[nodiscard]] constexpr std::uint64_t bit(unsigned n) {
  return std::uint64_t{1} << n;
}

// The mask of bits high..low, both included.
[[nodiscard]] constexpr std::uint64_t bit_mask(unsigned high, unsigned low) {
  return (~std::uint64_t{0} >> (63 - (high - low))) << low;
}

// The value of bits high..low of `word`, shifted down to bit 0.
[[nodiscard]] constexpr std::uint64_t bit_field(std::uint64_t word, unsigned high, unsigned low) {
  return (word & bit_mask(high, low)) >> low;
}

[[nodiscard]] constexpr std::uint64_t align_down(std::uint64_t value, std::uint64_t power_of_two) {
  return value & ~(power_of_two - 1);
}

[[nodiscard]] constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t power_of_two) {
  return align_down(value + power_of_two - 1, power_of_two);
}

[[nodiscard]] constexpr bool is_aligned(std::uint64_t value, std::uint64_t power_of_two) {
  return (value & (power_of_two - 1)) == 0;
}

// Not std::has_single_bit, which GCC turns into a call of libgcc.
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t value) {
  return value != 0 && (value & (value - 1)) == 0;
}

// True where `address` is canonical for `linear_bits` (48 or 57) of linear address.
[[nodiscard]] constexpr bool is_canonical(std::uint64_t address, unsigned linear_bits = 48) {
  const auto top = static_cast<std::int64_t>(address << (64 - linear_bits));
  return static_cast<std::uint64_t>(top >> (64 - linear_bits)) == address;
}

// Integer conversion that says on the page that the bits above T are meant to go.
template <std::integral T>
[[nodiscard]] constexpr T truncate(std::uint64_t value) {
  return static_cast<T>(value);
}

}  // namespace archelon
