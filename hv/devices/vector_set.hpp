#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

namespace archelon::devices {

// The 256 vectors of IRR, ISR or TMR.
class VectorSet {
 public:
  constexpr void set(std::uint8_t v) { words_[v / 64] |= std::uint64_t{1} << v % 64; }
  constexpr void clear(std::uint8_t v) { words_[v / 64] &= ~(std::uint64_t{1} << v % 64); }
  [[nodiscard]] constexpr bool has(std::uint8_t v) const {
    return (words_[v / 64] >> v % 64 & 1) != 0;
  }
  [[nodiscard]] constexpr bool empty() const {
    return (words_[0] | words_[1] | words_[2] | words_[3]) == 0;
  }
  [[nodiscard]] constexpr std::optional<std::uint8_t> highest() const {
    for (unsigned i = 4; i-- > 0;) {
      if (words_[i] != 0) {
        return static_cast<std::uint8_t>(i * 64 + 63 -
                                         static_cast<unsigned>(std::countl_zero(words_[i])));
      }
    }
    return std::nullopt;
  }
  // Register `i` of the eight 32-bit registers that show the set.
  [[nodiscard]] constexpr std::uint32_t word(unsigned i) const {
    return static_cast<std::uint32_t>(words_[i / 2 % 4] >> i % 2 * 32);
  }

 private:
  std::array<std::uint64_t, 4> words_{};
};

}  // namespace archelon::devices
