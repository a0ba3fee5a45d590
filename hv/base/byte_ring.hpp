#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "hv/base/assert.hpp"

namespace archelon {

// A first-in first-out queue of N characters. No locking inside.
template <std::size_t N>
class ByteRing {
 public:
  // False, with nothing changed, where it is full.
  [[nodiscard]] bool push(char c) {
    if (used_ == N) {
      return false;
    }
    bytes_[(first_ + used_) % N] = c;
    ++used_;
    return true;
  }
  // The oldest characters, as far as they lie in one piece; empty only where the ring is.
  [[nodiscard]] std::span<const char> front() const {
    return {bytes_.data() + first_, used_ < N - first_ ? used_ : N - first_};
  }
  // Drops the `count` oldest characters.
  void pop(std::size_t count) {
    ARCHELON_ASSERT(count <= used_);
    first_ = (first_ + count) % N;
    used_ -= count;
  }
  [[nodiscard]] std::size_t size() const { return used_; }
  [[nodiscard]] bool empty() const { return used_ == 0; }

 private:
  std::array<char, N> bytes_{};
  std::size_t first_ = 0;
  std::size_t used_ = 0;
};

}  // namespace archelon
