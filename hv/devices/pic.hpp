#pragma once

#include <cstdint>
#include <optional>

namespace archelon::devices {

// One 8259A (Intel 8259A data sheet), without the cascade.
class Pic8259 {
 public:
  constexpr Pic8259() = default;
  // `level_capable`: inputs whose ELCR bit can be set; `cascade`: inputs driven by another 8259A,
  // taken as level-triggered so that no request of the other chip is lost.
  constexpr Pic8259(std::uint8_t level_capable, std::uint8_t cascade)
      : level_capable_(level_capable), cascade_(cascade) {}

  void set_line(unsigned input, bool level);
  [[nodiscard]] std::uint8_t read(bool a0);
  void write(bool a0, std::uint8_t value);
  [[nodiscard]] std::uint8_t elcr() const { return elcr_; }
  void set_elcr(std::uint8_t value) { elcr_ = value & level_capable_; }

  // The input that the chip requests service for now: unmasked and above what is in service.
  [[nodiscard]] std::optional<unsigned> request() const;
  // INTA for `input`.
  void acknowledge(unsigned input);
  [[nodiscard]] std::uint8_t vector(unsigned input) const {
    return static_cast<std::uint8_t>(vector_base_ | input);
  }
  // Power-on state; the levels of the inputs stay.
  void reset();

 private:
  enum class Init : std::uint8_t { kDone, kIcw2, kIcw3, kIcw4 };

  [[nodiscard]] std::uint8_t level_inputs() const;
  [[nodiscard]] std::uint8_t requests() const;
  [[nodiscard]] std::optional<unsigned> highest(std::uint8_t inputs) const;
  [[nodiscard]] unsigned rank(unsigned input) const { return (input - lowest_ - 1) & 7; }
  [[nodiscard]] std::uint8_t poll();
  void begin_initialisation(std::uint8_t icw1);
  void write_icw(std::uint8_t value);
  void write_ocw2(std::uint8_t value);
  void write_ocw3(std::uint8_t value);
  void end_of_interrupt(std::optional<unsigned> input, bool rotate);

  std::uint8_t level_capable_ = 0;
  std::uint8_t cascade_ = 0;
  std::uint8_t lines_ = 0;
  std::uint8_t latched_ = 0;  // rising edges not yet acknowledged
  std::uint8_t in_service_ = 0;
  std::uint8_t mask_ = 0;
  std::uint8_t elcr_ = 0;
  std::uint8_t vector_base_ = 0;
  std::uint8_t lowest_ = 7;  // the input of lowest priority
  Init init_ = Init::kDone;
  bool icw4_expected_ = false;
  bool single_ = false;
  bool all_level_ = false;
  bool auto_eoi_ = false;
  bool rotate_on_auto_eoi_ = false;
  bool special_fully_nested_ = false;
  bool special_mask_ = false;
  bool read_in_service_ = false;
  bool poll_ = false;
};

// The PC's pair: the slave's output is input 2 of the master.
class PicPair {
 public:
  [[nodiscard]] static constexpr bool decodes(std::uint16_t port) {
    return port == 0x20 || port == 0x21 || port == 0xa0 || port == 0xa1 || port == 0x4d0 ||
           port == 0x4d1;
  }
  [[nodiscard]] std::uint8_t read(std::uint16_t port);
  void write(std::uint16_t port, std::uint8_t value);

  // `irq` 0 to 15; 2 is the cascade and ignored.
  void set_line(unsigned irq, bool level);
  // The INTR output.
  [[nodiscard]] bool output() const { return master_.request().has_value(); }
  // The vector that acknowledge() would answer now.
  [[nodiscard]] std::uint8_t vector() const;
  // Both INTA cycles. With nothing requested: the spurious vector, input 7 of the chip asked.
  std::uint8_t acknowledge();

  void reset();
  // As a PC's firmware leaves them: vectors 08h and 70h, all masked, the SCI level-triggered.
  void firmware_handoff();

 private:
  void update_cascade() { master_.set_line(2, slave_.request().has_value()); }

  Pic8259 master_{0xf8, 0x04};
  Pic8259 slave_{0xde, 0x00};
};

}  // namespace archelon::devices
