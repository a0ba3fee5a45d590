#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace archelon::test {

// A bzImage with a setup header of protocol 2.15 and a recognisable protected-mode part.
class LinuxImage {
 public:
  explicit LinuxImage(std::size_t code_size = 0x1000) : bytes_(kSetupSize + code_size) {
    set<std::uint8_t>(0x1F1, 3);
    set<std::uint32_t>(0x1F4, static_cast<std::uint32_t>((code_size + 15) / 16));
    set<std::uint16_t>(0x1FE, 0xAA55);
    set<std::uint8_t>(0x201, 0x6A);
    set<std::uint32_t>(0x202, 0x5372'6448);
    set<std::uint16_t>(0x206, 0x20F);
    set<std::uint8_t>(0x211, 1);
    set<std::uint32_t>(0x22C, 0x7FFF'FFFF);
    set<std::uint32_t>(0x230, 0x20'0000);
    set<std::uint8_t>(0x234, 1);
    set<std::uint16_t>(0x236, 0x7F);
    set<std::uint32_t>(0x238, 2047);
    set<std::uint64_t>(0x258, 0x100'0000);
    set<std::uint32_t>(0x260, 0x300'0000);
    for (std::size_t i = 0; i < code_size; ++i) {
      bytes_[kSetupSize + i] = static_cast<std::byte>(i * 7 + 1);
    }
  }

  template <class T>
  LinuxImage& set(std::size_t offset, T value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof(value));
    return *this;
  }
  void cut(std::size_t size) { bytes_.resize(size); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  static constexpr std::size_t kSetupSize = 4 * 512;

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace archelon::test
