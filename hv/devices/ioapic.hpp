#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "hv/devices/interrupt_message.hpp"
#include "hv/devices/platform.hpp"

namespace archelon::devices {

// An IOAPIC (82093AA data sheet, with the EOI register of version 20h). Input levels are given as
// asserted or not: the polarity bit of an entry is kept and changes nothing.
class Ioapic {
 public:
  constexpr Ioapic() { reset(); }

  // `offset` from the base; registers are 32 bits wide.
  [[nodiscard]] std::uint32_t read(unsigned offset) const;
  void write(unsigned offset, std::uint32_t value);

  void set_line(unsigned pin, bool asserted);
  // A CPU ended the level-triggered interrupt `vector`.
  void end_of_interrupt(std::uint8_t vector);
  // The next message to send to the local APICs; to be asked after every other call until none.
  [[nodiscard]] std::optional<InterruptMessage> take_message();

  constexpr void reset() {
    entries_.fill(kMasked);
    select_ = 0;
    id_ = 0;
    ready_ = 0;
  }

 private:
  static constexpr std::uint64_t kMasked = 0x1'0000;

  void write_indirect(std::uint32_t value);
  void check_level(unsigned pin);

  std::array<std::uint64_t, kIoapicPins> entries_{};
  std::uint32_t lines_ = 0;
  std::uint32_t ready_ = 0;  // pins with a message to send
  std::uint32_t id_ = 0;
  std::uint8_t select_ = 0;
};

}  // namespace archelon::devices
