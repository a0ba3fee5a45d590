#include "hv/devices/ioapic.hpp"

#include <bit>

namespace archelon::devices {
namespace {

constexpr unsigned kSelect = 0x00;
constexpr unsigned kWindow = 0x10;
constexpr unsigned kEoi = 0x40;
constexpr unsigned kId = 0;
constexpr unsigned kVersion = 1;
constexpr unsigned kArbitration = 2;
constexpr unsigned kFirstEntry = 0x10;

constexpr std::uint32_t kVersionValue = 0x20 | (kIoapicPins - 1) << 16;
constexpr std::uint64_t kLevel = 0x8000;
constexpr std::uint64_t kRemoteIrr = 0x4000;
constexpr std::uint64_t kLogical = 0x0800;
constexpr std::uint64_t kReadOnly = 0x5000;  // remote IRR and delivery status
constexpr std::uint64_t kEntryBits = 0xff00'0000'0001'ffff;

// Only fixed and lowest-priority interrupts are level-triggered, whatever the trigger bit says.
bool is_level(std::uint64_t entry) {
  return (entry & kLevel) != 0 && delivery_mode(entry) <= DeliveryMode::kLowestPriority;
}

}  // namespace

std::uint32_t Ioapic::read(unsigned offset) const {
  if (offset == kSelect) {
    return select_;
  }
  if (offset != kWindow) {
    return 0;
  }
  switch (select_) {
    case kId:
    case kArbitration:
      return id_;
    case kVersion:
      return kVersionValue;
    default:
      break;
  }
  const unsigned word = select_ - kFirstEntry;
  if (select_ < kFirstEntry || word >= 2 * kIoapicPins) {
    return 0;
  }
  return static_cast<std::uint32_t>(entries_[word / 2] >> word % 2 * 32);
}

void Ioapic::write(unsigned offset, std::uint32_t value) {
  switch (offset) {
    case kSelect:
      select_ = static_cast<std::uint8_t>(value);
      break;
    case kWindow:
      write_indirect(value);
      break;
    case kEoi:
      end_of_interrupt(static_cast<std::uint8_t>(value));
      break;
    default:
      break;
  }
}

void Ioapic::write_indirect(std::uint32_t value) {
  if (select_ == kId) {
    id_ = value & 0x0f00'0000;
    return;
  }
  const unsigned word = select_ - kFirstEntry;
  if (select_ < kFirstEntry || word >= 2 * kIoapicPins) {
    return;
  }
  std::uint64_t& entry = entries_[word / 2];
  const unsigned shift = word % 2 * 32;
  const std::uint64_t writable = kEntryBits & ~kReadOnly & std::uint64_t{0xffff'ffff} << shift;
  entry = (entry & ~writable) | (std::uint64_t{value} << shift & writable);
  if (!is_level(entry)) {
    entry &= ~kRemoteIrr;  // how guests without the EOI register clear it
  }
  check_level(word / 2);
}

void Ioapic::check_level(unsigned pin) {
  const std::uint64_t entry = entries_[pin];
  if (is_level(entry) && (lines_ >> pin & 1) != 0 && (entry & (kMasked | kRemoteIrr)) == 0) {
    ready_ |= 1u << pin;
  }
}

void Ioapic::set_line(unsigned pin, bool asserted) {
  const std::uint32_t bit = 1u << pin;
  const bool rose = asserted && (lines_ & bit) == 0;
  lines_ = asserted ? lines_ | bit : lines_ & ~bit;
  const std::uint64_t entry = entries_[pin];
  if (is_level(entry)) {
    check_level(pin);
  } else if (rose && (entry & kMasked) == 0) {  // an edge at a masked pin is lost
    ready_ |= bit;
  }
}

void Ioapic::end_of_interrupt(std::uint8_t vector) {
  for (unsigned pin = 0; pin < kIoapicPins; ++pin) {
    std::uint64_t& entry = entries_[pin];
    if ((entry & kRemoteIrr) != 0 && static_cast<std::uint8_t>(entry) == vector) {
      entry &= ~kRemoteIrr;
      check_level(pin);
    }
  }
}

std::optional<InterruptMessage> Ioapic::take_message() {
  if (ready_ == 0) {
    return std::nullopt;
  }
  const auto pin = static_cast<unsigned>(std::countr_zero(ready_));
  ready_ &= ready_ - 1;
  std::uint64_t& entry = entries_[pin];
  const bool level = is_level(entry);
  if (level) {
    entry |= kRemoteIrr;
  }
  const auto destination = static_cast<std::uint32_t>(entry >> 56);
  return InterruptMessage{
      .destination = destination,
      .vector = static_cast<std::uint8_t>(entry),
      .mode = delivery_mode(entry),
      .logical = (entry & kLogical) != 0,
      .broadcast = destination == 0xff,
      .level_triggered = level,
  };
}

}  // namespace archelon::devices
