#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace archelon::test {

// Little-endian bytes put together piece by piece: tables, tags, images.
class ByteBuilder {
 public:
  template <class T>
  requires std::is_trivially_copyable_v<T> ByteBuilder& put(T value) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
    return *this;
  }
  ByteBuilder& u8(std::uint64_t v) { return put(static_cast<std::uint8_t>(v)); }
  ByteBuilder& u16(std::uint64_t v) { return put(static_cast<std::uint16_t>(v)); }
  ByteBuilder& u32(std::uint64_t v) { return put(static_cast<std::uint32_t>(v)); }
  ByteBuilder& u64(std::uint64_t v) { return put(v); }
  ByteBuilder& text(std::string_view s) {
    for (const char c : s) {
      put(c);
    }
    return *this;
  }
  ByteBuilder& zeros(std::size_t n) {
    bytes_.resize(bytes_.size() + n);
    return *this;
  }
  ByteBuilder& align(std::size_t n) {
    bytes_.resize((bytes_.size() + n - 1) / n * n);
    return *this;
  }
  ByteBuilder& bytes(std::span<const std::byte> other) {
    bytes_.insert(bytes_.end(), other.begin(), other.end());
    return *this;
  }
  template <class T>
  ByteBuilder& patch(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof(T));
    return *this;
  }

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::span<const std::byte> view() const { return bytes_; }
  [[nodiscard]] std::vector<std::byte>& raw() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace archelon::test
