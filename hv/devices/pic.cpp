#include "hv/devices/pic.hpp"

#include <utility>

#include "hv/devices/platform.hpp"

namespace archelon::devices {
namespace {

constexpr std::uint8_t kIcw1 = 0x10;
constexpr std::uint8_t kIcw1Icw4 = 0x01;
constexpr std::uint8_t kIcw1Single = 0x02;
constexpr std::uint8_t kIcw1Level = 0x08;
constexpr std::uint8_t kIcw4AutoEoi = 0x02;
constexpr std::uint8_t kIcw4SpecialFullyNested = 0x10;
constexpr std::uint8_t kOcw3 = 0x08;
constexpr std::uint8_t kOcw3Poll = 0x04;

constexpr std::uint8_t input_bit(unsigned input) {
  return static_cast<std::uint8_t>(1u << input);
}

constexpr std::uint8_t without(std::uint8_t set, unsigned bits) {
  return static_cast<std::uint8_t>(set & ~bits);
}

}  // namespace

std::uint8_t Pic8259::level_inputs() const {
  return static_cast<std::uint8_t>(all_level_ ? 0xff : elcr_ | cascade_);
}

std::uint8_t Pic8259::requests() const {
  const std::uint8_t level = level_inputs();
  return static_cast<std::uint8_t>(without(latched_, level) | (lines_ & level));
}

std::optional<unsigned> Pic8259::highest(std::uint8_t inputs) const {
  if (inputs == 0) {
    return std::nullopt;
  }
  unsigned input = (lowest_ + 1u) & 7;
  while ((inputs & input_bit(input)) == 0) {
    input = (input + 1) & 7;
  }
  return input;
}

std::optional<unsigned> Pic8259::request() const {
  if (init_ != Init::kDone) {
    return std::nullopt;
  }
  const auto wanted = highest(without(requests(), mask_));
  if (!wanted) {
    return std::nullopt;
  }
  std::uint8_t blocking = in_service_;
  if (special_mask_) {
    blocking = without(blocking, mask_);
  }
  if (special_fully_nested_) {
    blocking = without(blocking, cascade_);
  }
  const auto current = highest(blocking);
  if (current && rank(*current) <= rank(*wanted)) {
    return std::nullopt;
  }
  return wanted;
}

void Pic8259::set_line(unsigned input, bool level) {
  const std::uint8_t bit = input_bit(input);
  if (level && (lines_ & bit) == 0) {
    latched_ |= bit;
  }
  lines_ = level ? lines_ | bit : without(lines_, bit);
}

void Pic8259::acknowledge(unsigned input) {
  latched_ = without(latched_, input_bit(input));
  if (!auto_eoi_) {
    in_service_ |= input_bit(input);
  } else if (rotate_on_auto_eoi_) {
    lowest_ = static_cast<std::uint8_t>(input);
  }
}

std::uint8_t Pic8259::poll() {
  const auto input = request();
  if (!input) {
    return 0;
  }
  acknowledge(*input);
  return static_cast<std::uint8_t>(0x80 | *input);
}

std::uint8_t Pic8259::read(bool a0) {
  if (std::exchange(poll_, false)) {
    return poll();
  }
  if (a0) {
    return mask_;
  }
  return read_in_service_ ? in_service_ : requests();
}

void Pic8259::begin_initialisation(std::uint8_t icw1) {
  // The edge detectors start anew: a line that is high must fall and rise to be seen.
  latched_ = 0;
  in_service_ = 0;
  mask_ = 0;
  lowest_ = 7;
  auto_eoi_ = rotate_on_auto_eoi_ = special_fully_nested_ = false;
  special_mask_ = read_in_service_ = poll_ = false;
  icw4_expected_ = (icw1 & kIcw1Icw4) != 0;
  single_ = (icw1 & kIcw1Single) != 0;
  all_level_ = (icw1 & kIcw1Level) != 0;
  init_ = Init::kIcw2;
}

void Pic8259::write_icw(std::uint8_t value) {
  const Init after_icw3 = icw4_expected_ ? Init::kIcw4 : Init::kDone;
  switch (init_) {
    case Init::kIcw2:
      vector_base_ = value & 0xf8;
      init_ = single_ ? after_icw3 : Init::kIcw3;
      break;
    case Init::kIcw3:  // the wiring of the cascade is fixed
      init_ = after_icw3;
      break;
    case Init::kIcw4:
      auto_eoi_ = (value & kIcw4AutoEoi) != 0;
      special_fully_nested_ = (value & kIcw4SpecialFullyNested) != 0;
      init_ = Init::kDone;
      break;
    case Init::kDone:
      mask_ = value;
      break;
  }
}

void Pic8259::end_of_interrupt(std::optional<unsigned> input, bool rotate) {
  if (!input) {
    return;
  }
  in_service_ = without(in_service_, input_bit(*input));
  if (rotate) {
    lowest_ = static_cast<std::uint8_t>(*input);
  }
}

void Pic8259::write_ocw2(std::uint8_t value) {
  const unsigned input = value & 7;
  switch (value >> 5) {
    case 0:
      rotate_on_auto_eoi_ = false;
      break;
    case 4:
      rotate_on_auto_eoi_ = true;
      break;
    case 1:
    case 5:
      end_of_interrupt(highest(special_mask_ ? without(in_service_, mask_) : in_service_),
                       value >> 5 == 5);
      break;
    case 3:
    case 7:
      end_of_interrupt(input, value >> 5 == 7);
      break;
    case 6:
      lowest_ = static_cast<std::uint8_t>(input);
      break;
    default:
      break;
  }
}

void Pic8259::write_ocw3(std::uint8_t value) {
  poll_ = (value & kOcw3Poll) != 0;
  if ((value & 0x02) != 0) {
    read_in_service_ = (value & 0x01) != 0;
  }
  if ((value & 0x40) != 0) {
    special_mask_ = (value & 0x20) != 0;
  }
}

void Pic8259::write(bool a0, std::uint8_t value) {
  if (a0) {
    write_icw(value);
  } else if ((value & kIcw1) != 0) {
    begin_initialisation(value);
  } else if ((value & kOcw3) != 0) {
    write_ocw3(value);
  } else {
    write_ocw2(value);
  }
}

void Pic8259::reset() {
  const std::uint8_t lines = lines_;
  *this = Pic8259(level_capable_, cascade_);
  lines_ = lines;
}

std::uint8_t PicPair::read(std::uint16_t port) {
  if (port >= 0x4d0) {
    return port == 0x4d0 ? master_.elcr() : slave_.elcr();
  }
  Pic8259& chip = (port & 0x80) == 0 ? master_ : slave_;
  const std::uint8_t value = chip.read((port & 1) != 0);
  update_cascade();
  return value;
}

void PicPair::write(std::uint16_t port, std::uint8_t value) {
  if (port >= 0x4d0) {
    (port == 0x4d0 ? master_ : slave_).set_elcr(value);
  } else {
    ((port & 0x80) == 0 ? master_ : slave_).write((port & 1) != 0, value);
  }
  update_cascade();
}

void PicPair::set_line(unsigned irq, bool level) {
  if (irq < 8) {
    if (irq != 2) {
      master_.set_line(irq, level);
    }
  } else {
    slave_.set_line(irq & 7, level);
    update_cascade();
  }
}

std::uint8_t PicPair::vector() const {
  const unsigned input = master_.request().value_or(7);
  return input == 2 ? slave_.vector(slave_.request().value_or(7)) : master_.vector(input);
}

std::uint8_t PicPair::acknowledge() {
  const std::uint8_t answer = vector();
  const auto input = master_.request();
  if (!input) {
    return answer;
  }
  master_.acknowledge(*input);
  if (*input == 2) {
    if (const auto slave_input = slave_.request()) {
      slave_.acknowledge(*slave_input);
    }
    update_cascade();
  }
  return answer;
}

void PicPair::reset() {
  master_.reset();
  slave_.reset();
  update_cascade();
}

void PicPair::firmware_handoff() {
  constexpr struct {
    std::uint16_t port;
    std::uint8_t value;
  } kWrites[] = {{0x20, 0x11},
                 {0xa0, 0x11},
                 {0x21, 0x08},
                 {0xa1, 0x70},
                 {0x21, 0x04},
                 {0xa1, 0x02},
                 {0x21, 0x01},
                 {0xa1, 0x01},
                 {0x21, 0xff},
                 {0xa1, 0xff},
                 {0x4d1, static_cast<std::uint8_t>(1u << (kSciIrq - 8))}};
  for (const auto& [port, value] : kWrites) {
    write(port, value);
  }
}

}  // namespace archelon::devices
