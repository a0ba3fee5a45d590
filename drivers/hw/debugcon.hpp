#pragma once

#include <span>

#include "hv/hw/instructions.hpp"

namespace archelon::drivers {

// The emulators' debug console (Bochs port_e9_hack, QEMU isa-debugcon): reading the port gives the
// port's own number where it is present.
class Debugcon {
 public:
  bool init() {
    present_ = hw::in8(kPort) == kPort;
    return present_;
  }
  [[nodiscard]] bool present() const { return present_; }
  void write(std::span<const char> bytes) const {
    if (!present_) {
      return;
    }
    for (const char c : bytes) {
      hw::out8(kPort, static_cast<std::uint8_t>(c));
    }
  }

 private:
  static constexpr std::uint16_t kPort = 0xe9;
  bool present_ = false;
};

}  // namespace archelon::drivers
