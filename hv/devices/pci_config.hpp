#pragma once

#include <array>
#include <cstdint>

namespace archelon::devices {

// PCI configuration mechanism #1 (ports CF8h-CFFh) before a bus with nothing but its host bridge at
// 00:00.0. A function that is not there reads all ones and ignores writes.
class PciConfig {
 public:
  // CONFIG_ADDRESS takes 4-byte accesses only; the caller routes narrower ones elsewhere.
  [[nodiscard]] std::uint32_t address() const { return address_; }
  void set_address(std::uint32_t value) { address_ = value & 0x80ff'fffc; }

  // One byte of CONFIG_DATA, `lane` 0 to 3.
  [[nodiscard]] std::uint8_t read(unsigned lane) const;
  void write(unsigned lane, std::uint8_t value);
  void reset();

 private:
  // The host bridge's register that the address and lane name, or its size.
  [[nodiscard]] unsigned offset(unsigned lane) const;

  std::uint32_t address_ = 0;
  std::uint8_t command_ = kCommandReset;
  std::uint8_t cache_line_ = 0;
  std::uint8_t latency_ = 0;
  std::uint8_t interrupt_line_ = 0;

  static constexpr std::uint8_t kCommandReset = 0x06;  // memory space, bus master
};

}  // namespace archelon::devices
