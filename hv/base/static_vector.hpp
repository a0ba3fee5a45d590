#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

#include "hv/base/assert.hpp"

namespace archelon {

// A vector of at most N elements without heap. T is default-constructible and trivially
// destructible. `push_back` on a full one answers false and changes nothing.
template <class T, std::size_t N>
class StaticVector {
 public:
  constexpr StaticVector() = default;
  constexpr StaticVector(std::initializer_list<T> items) {
    for (const T& item : items) {
      ARCHELON_ASSERT(push_back(item));
    }
  }

  [[nodiscard]] constexpr bool push_back(const T& item) {
    if (size_ == N) {
      return false;
    }
    items_[size_++] = item;
    return true;
  }
  constexpr void pop_back() {
    ARCHELON_ASSERT(size_ > 0);
    --size_;
  }
  // Removes element `i`, keeping the order of the rest.
  constexpr void erase(std::size_t i) {
    ARCHELON_ASSERT(i < size_);
    for (std::size_t k = i + 1; k < size_; ++k) {
      items_[k - 1] = items_[k];
    }
    --size_;
  }
  // Inserts before element `i`; false when full.
  [[nodiscard]] constexpr bool insert(std::size_t i, const T& item) {
    ARCHELON_ASSERT(i <= size_);
    if (size_ == N) {
      return false;
    }
    for (std::size_t k = size_; k > i; --k) {
      items_[k] = items_[k - 1];
    }
    items_[i] = item;
    ++size_;
    return true;
  }
  constexpr void clear() { size_ = 0; }

  [[nodiscard]] constexpr std::size_t size() const { return size_; }
  [[nodiscard]] static constexpr std::size_t capacity() { return N; }
  [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
  [[nodiscard]] constexpr bool full() const { return size_ == N; }

  constexpr T& operator[](std::size_t i) {
    ARCHELON_ASSERT(i < size_);
    return items_[i];
  }
  constexpr const T& operator[](std::size_t i) const {
    ARCHELON_ASSERT(i < size_);
    return items_[i];
  }
  constexpr T& back() { return (*this)[size_ - 1]; }
  constexpr const T& back() const { return (*this)[size_ - 1]; }
  constexpr T* data() { return items_.data(); }
  constexpr const T* data() const { return items_.data(); }
  constexpr T* begin() { return items_.data(); }
  constexpr T* end() { return items_.data() + size_; }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }

 private:
  std::array<T, N> items_{};
  std::size_t size_ = 0;
};

}  // namespace archelon
