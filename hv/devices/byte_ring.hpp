#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace archelon::devices {

// A first-in first-out queue of at most N bytes.
template <std::size_t N>
class ByteRing {
 public:
  // False when full: the byte is dropped.
  constexpr bool push(std::uint8_t byte) {
    if (size_ == N) {
      return false;
    }
    bytes_[(first_ + size_++) % N] = byte;
    return true;
  }
  // The oldest byte, or 0 when empty.
  constexpr std::uint8_t pop() {
    if (size_ == 0) {
      return 0;
    }
    const std::uint8_t byte = bytes_[first_];
    first_ = (first_ + 1) % N;
    --size_;
    return byte;
  }
  constexpr void clear() { size_ = 0; }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }

 private:
  std::array<std::uint8_t, N> bytes_{};
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace archelon::devices
