#include "hv/devices/lapic.hpp"

#include "hv/base/bits.hpp"

namespace archelon::devices {
namespace {

constexpr std::uint64_t kBaseBsp = bit(8);
constexpr std::uint32_t kErrorReceiveIllegalVector = 0x40;

}  // namespace

LocalApic::LocalApic(unsigned id, const MachineConfig& config)
    : timer_(config.lapic_timer_hz, config.tsc_hz),
      id_(id),
      tsc_deadline_supported_(config.tsc_deadline) {
  base_msr_mask_ = bit_mask(config.physical_address_bits - 1, 12) | kBaseBsp | kBaseEnable |
                   (config.x2apic ? kBaseX2apic : 0);
  reset(false);
}

void LocalApic::init() {
  irr_ = isr_ = tmr_ = VectorSet();
  timer_.set_mode(LapicTimer::Mode::kOneShot);
  timer_.set_initial_count(0, 0);
  timer_.set_divide(0, 0);
  icr_low_ = icr_high_ = 0;
  xapic_ldr_ = 0;
  dfr_ = 0xffff'ffff;
  spurious_ = 0xff;
  error_status_ = error_pending_ = 0;
  for (std::uint32_t& entry : lvt_) {
    entry = kLvtMasked;
  }
  tpr_ = 0;
}

void LocalApic::reset(bool virtual_wire) {
  base_msr_ = kLapicBase.value() | kBaseEnable | (id_ == 0 ? kBaseBsp : 0);
  init();
  if (virtual_wire) {
    spurious_ = kSpuriousEnable | 0x0f;
    lvt_[kLint0] = static_cast<std::uint32_t>(DeliveryMode::kExtInt) << 8;
    lvt_[kLint1] = static_cast<std::uint32_t>(DeliveryMode::kNmi) << 8;
  }
}

Gpa1 LocalApic::base() const {
  return Gpa1(base_msr_ & bit_mask(51, 12));
}

// SDM volume 3, "x2APIC State Transitions".
Status<Gp> LocalApic::set_base_msr(std::uint64_t value) {
  if ((value & ~base_msr_mask_) != 0) {
    return Err{Gp{}};
  }
  const bool enable = (value & kBaseEnable) != 0;
  const bool x2apic = (value & kBaseX2apic) != 0;
  const Mode from = mode();
  if ((x2apic && !enable) || (x2apic && from == Mode::kDisabled) ||
      (enable && !x2apic && from == Mode::kX2apic)) {
    return Err{Gp{}};
  }
  base_msr_ = value;
  if (!enable && from != Mode::kDisabled) {
    init();
  }
  if (x2apic && from == Mode::kXapic) {
    icr_high_ = 0;
  }
  return Ok{};
}

std::uint32_t LocalApic::logical_id() const {
  return mode() == Mode::kX2apic ? id_ >> 4 << 16 | 1u << (id_ & 0xf) : xapic_ldr_;
}

void LocalApic::acknowledge(std::uint8_t vector) {
  irr_.clear(vector);
  isr_.set(vector);
}

bool LocalApic::accept(std::uint8_t vector, bool level_triggered) {
  if (mode() == Mode::kDisabled || !software_enabled()) {
    return false;
  }
  if (vector < kFirstLegalVector) {
    raise_error(kErrorReceiveIllegalVector);
    return false;
  }
  irr_.set(vector);
  if (level_triggered) {
    tmr_.set(vector);
  } else {
    tmr_.clear(vector);
  }
  return true;
}

// Errors gather until the guest writes ESR; the LVT error interrupt comes at once.
void LocalApic::raise_error(std::uint32_t error) {
  error_pending_ |= error;
  const auto vector = static_cast<std::uint8_t>(lvt_[kError]);
  if ((lvt_[kError] & kLvtMasked) == 0 && vector >= kFirstLegalVector) {
    accept(vector, false);
  }
}

bool LocalApic::matches(const InterruptMessage& message) const {
  if (mode() == Mode::kDisabled) {
    return false;
  }
  if (message.broadcast) {
    return true;
  }
  const std::uint32_t destination = message.destination;
  if (!message.logical) {
    return destination == id_;
  }
  if (mode() == Mode::kX2apic) {
    const std::uint32_t logical = logical_id();
    return destination >> 16 == logical >> 16 && (destination & logical & 0xffff) != 0;
  }
  const std::uint32_t logical = xapic_ldr_ >> 24;
  if (dfr_ >> 28 == 0xf) {  // flat
    return destination <= 0xff && (destination & logical) != 0;
  }
  return destination >> 4 == logical >> 4 && (destination & logical & 0xf) != 0;
}

std::optional<LocalApic::LocalInterrupt> LocalApic::lint0() const {
  if (mode() == Mode::kDisabled) {
    return LocalInterrupt{DeliveryMode::kExtInt, 0};
  }
  const std::uint32_t entry = lvt_[kLint0];
  if ((entry & kLvtMasked) != 0) {
    return std::nullopt;
  }
  return LocalInterrupt{delivery_mode(entry), static_cast<std::uint8_t>(entry)};
}

bool LocalApic::advance(std::uint64_t now_ns) {
  if (!timer_.expire(now_ns) || (lvt_[kTimer] & kLvtMasked) != 0) {
    return false;
  }
  return accept(static_cast<std::uint8_t>(lvt_[kTimer]), false);
}

}  // namespace archelon::devices
