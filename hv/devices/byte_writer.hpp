#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace archelon::devices {

// Little-endian output into a bounded buffer. What does not fit is not written and is remembered:
// after the last write, ok() tells whether all of it is there.
class ByteWriter {
 public:
  constexpr explicit ByteWriter(std::span<std::byte> buffer) : buffer_(buffer) {}

  [[nodiscard]] constexpr bool ok() const { return !overflow_; }
  [[nodiscard]] constexpr std::size_t size() const { return size_; }

  constexpr void u8(std::uint64_t value) {
    if (size_ == buffer_.size()) {
      overflow_ = true;
      return;
    }
    buffer_[size_++] = static_cast<std::byte>(value);
  }
  constexpr void u16(std::uint64_t value) { little_endian(value, 2); }
  constexpr void u32(std::uint64_t value) { little_endian(value, 4); }
  constexpr void u64(std::uint64_t value) { little_endian(value, 8); }
  constexpr void text(std::string_view chars) {
    for (const char c : chars) {
      u8(static_cast<unsigned char>(c));
    }
  }
  constexpr void zeros(std::size_t count) {
    while (count-- != 0) {
      u8(0);
    }
  }
  constexpr void align(std::size_t power_of_two) {
    zeros((power_of_two - size_ % power_of_two) % power_of_two);
  }

  // Overwrites `bytes` bytes that are already there.
  constexpr void patch(std::size_t offset, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes && offset + i < size_; ++i) {
      buffer_[offset + i] = static_cast<std::byte>(value >> i * 8);
    }
  }
  // Takes out `count` bytes at `offset`; what follows moves down.
  constexpr void erase(std::size_t offset, std::size_t count) {
    if (offset > size_ || size_ - offset < count) {
      return;
    }
    for (std::size_t i = offset + count; i < size_; ++i) {
      buffer_[i - count] = buffer_[i];
    }
    size_ -= count;
  }
  // Sets the byte at `at` so that the bytes of [begin, begin + size) add up to 0.
  constexpr void patch_checksum(std::size_t at, std::size_t begin, std::size_t size) {
    patch(at, 0, 1);
    unsigned sum = 0;
    for (std::size_t i = begin; i < begin + size && i < size_; ++i) {
      sum += static_cast<unsigned>(buffer_[i]);
    }
    patch(at, 0 - std::uint64_t{sum}, 1);
  }

 private:
  constexpr void little_endian(std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i) {
      u8(value >> i * 8);
    }
  }

  std::span<std::byte> buffer_;
  std::size_t size_ = 0;
  bool overflow_ = false;
};

}  // namespace archelon::devices
