#include "hv/devices/lapic.hpp"

#include "hv/base/bits.hpp"

namespace archelon::devices {
namespace {

enum Register : unsigned {
  kId = 0x02,
  kVersion = 0x03,
  kTpr = 0x08,
  kApr = 0x09,
  kPpr = 0x0a,
  kEoi = 0x0b,
  kLdr = 0x0d,
  kDfr = 0x0e,
  kSpurious = 0x0f,
  kIsr = 0x10,
  kTmr = 0x18,
  kIrr = 0x20,
  kErrorStatus = 0x28,
  kIcrLow = 0x30,
  kIcrHigh = 0x31,
  kLvtFirst = 0x32,
  kLvtLast = 0x37,
  kInitialCount = 0x38,
  kCurrentCount = 0x39,
  kDivide = 0x3e,
  kSelfIpi = 0x3f,
};

constexpr std::uint64_t kBaseBsp = bit(8);
constexpr std::uint64_t kBaseX2apic = bit(10);
constexpr std::uint64_t kBaseEnable = bit(11);

// Version 14h (an integrated APIC), six LVT entries, no suppression of EOI broadcasts.
constexpr std::uint32_t kVersionValue = 0x0005'0014;
constexpr std::uint32_t kSpuriousMask = 0x0000'03ff;
constexpr std::uint32_t kSpuriousEnable = 0x0000'0100;
constexpr std::uint32_t kDfrFixed = 0x0fff'ffff;
constexpr std::uint32_t kLvtMasked = 0x0001'0000;
constexpr std::uint32_t kLvtReset = kLvtMasked;
// The writable bits of the LVT entries, in the order of the registers.
constexpr std::uint32_t kLvtWritable[] = {0x0007'00ff, 0x0001'07ff, 0x0001'07ff,
                                          0x0001'a7ff, 0x0001'a7ff, 0x0001'00ff};
constexpr std::uint32_t kTimerTscDeadline = 0x0004'0000;
constexpr std::uint32_t kIcrWritable = 0x000c'cfff;
constexpr std::uint32_t kIcrLogical = 0x0000'0800;
constexpr std::uint32_t kIcrAssert = 0x0000'4000;
constexpr std::uint32_t kIcrLevel = 0x0000'8000;

constexpr std::uint32_t kErrorSendIllegalVector = 0x20;
constexpr std::uint32_t kErrorReceiveIllegalVector = 0x40;
constexpr std::uint32_t kErrorIllegalRegister = 0x80;

constexpr std::uint8_t kFirstLegalVector = 16;

constexpr bool is_readable(unsigned index) {
  return index == kId || index == kVersion || (index >= kTpr && index <= kPpr) || index == kLdr ||
         index == kDfr || index == kSpurious || (index >= kIsr && index <= kErrorStatus) ||
         (index >= kIcrLow && index <= kCurrentCount) || index == kDivide;
}

constexpr bool is_writable(unsigned index) {
  return index == kTpr || index == kEoi || index == kLdr || index == kDfr || index == kSpurious ||
         index == kErrorStatus || (index >= kIcrLow && index <= kInitialCount) || index == kDivide;
}

DeliveryMode delivery_mode(std::uint32_t word) {
  return static_cast<DeliveryMode>(word >> 8 & 7);
}

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
    entry = kLvtReset;
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

LocalApic::Mode LocalApic::mode() const {
  if ((base_msr_ & kBaseEnable) == 0) {
    return Mode::kDisabled;
  }
  return (base_msr_ & kBaseX2apic) != 0 ? Mode::kX2apic : Mode::kXapic;
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

bool LocalApic::software_enabled() const {
  return (spurious_ & kSpuriousEnable) != 0;
}

std::uint32_t LocalApic::logical_id() const {
  return mode() == Mode::kX2apic ? id_ >> 4 << 16 | 1u << (id_ & 0xf) : xapic_ldr_;
}

std::uint8_t LocalApic::ppr() const {
  const unsigned in_service = isr_.highest().value_or(0) & 0xf0u;
  return in_service > (tpr_ & 0xf0u) ? static_cast<std::uint8_t>(in_service) : tpr_;
}

std::optional<std::uint8_t> LocalApic::deliverable() const {
  if (irr_.empty() || mode() == Mode::kDisabled) {
    return std::nullopt;
  }
  const std::uint8_t vector = *irr_.highest();
  return vector >> 4 > ppr() >> 4 ? std::optional(vector) : std::nullopt;
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

std::uint64_t LocalApic::next_deadline_ns() const {
  return (lvt_[kTimer] & kLvtMasked) != 0 ? kNever : timer_.expiry_ns();
}

bool LocalApic::advance(std::uint64_t now_ns) {
  if (!timer_.expire(now_ns) || (lvt_[kTimer] & kLvtMasked) != 0) {
    return false;
  }
  return accept(static_cast<std::uint8_t>(lvt_[kTimer]), false);
}

std::uint32_t LocalApic::read_register(unsigned index, std::uint64_t now_ns) const {
  if (index >= kIsr && index < kErrorStatus) {
    const VectorSet& set = index < kTmr ? isr_ : index < kIrr ? tmr_ : irr_;
    return set.word(index & 7);
  }
  if (index >= kLvtFirst && index <= kLvtLast) {
    return lvt_[index - kLvtFirst];
  }
  switch (index) {
    case kId:
      return mode() == Mode::kX2apic ? id_ : id_ << 24;
    case kVersion:
      return kVersionValue;
    case kTpr:
      return tpr_;
    case kApr:
    case kPpr:
      return ppr();
    case kLdr:
      return logical_id();
    case kDfr:
      return dfr_;
    case kSpurious:
      return spurious_;
    case kErrorStatus:
      return error_status_;
    case kIcrLow:
      return icr_low_;
    case kIcrHigh:
      return icr_high_;
    case kInitialCount:
      return timer_.initial_count();
    case kCurrentCount:
      return timer_.current_count(now_ns);
    case kDivide:
      return timer_.divide();
    default:
      return 0;
  }
}

ApicEffect LocalApic::end_of_interrupt() {
  const auto vector = isr_.highest();
  if (!vector) {
    return {};
  }
  isr_.clear(*vector);
  if (tmr_.has(*vector)) {
    return {ApicEffect::Kind::kEoi, {.vector = *vector}};
  }
  return {irr_.empty() ? ApicEffect::Kind::kNone : ApicEffect::Kind::kRecheck};
}

void LocalApic::write_spurious(std::uint32_t value) {
  spurious_ = value & kSpuriousMask;
  if (!software_enabled()) {
    for (std::uint32_t& entry : lvt_) {
      entry |= kLvtMasked;
    }
  }
}

void LocalApic::write_lvt(unsigned entry, std::uint32_t value, std::uint64_t now_ns) {
  if (entry == kTimer) {
    advance(now_ns);  // an expiry before this moment follows the old entry
  }
  lvt_[entry] = value & kLvtWritable[entry];
  if (!software_enabled()) {
    lvt_[entry] |= kLvtMasked;
  }
  if (entry == kTimer) {
    if (!tsc_deadline_supported_) {
      lvt_[entry] &= ~kTimerTscDeadline;
    }
    timer_.set_mode(static_cast<LapicTimer::Mode>(lvt_[entry] >> 17 & 3));
  }
}

ApicEffect LocalApic::write_icr(std::uint32_t low) {
  icr_low_ = low & kIcrWritable;
  const bool x2 = mode() == Mode::kX2apic;
  InterruptMessage message{
      .destination = x2 ? icr_high_ : icr_high_ >> 24,
      .vector = static_cast<std::uint8_t>(low),
      .mode = delivery_mode(low),
      .shorthand = static_cast<Shorthand>(low >> 18 & 3),
      .logical = (low & kIcrLogical) != 0,
  };
  message.broadcast = message.destination == (x2 ? 0xffff'ffff : 0xff);
  switch (message.mode) {
    case DeliveryMode::kFixed:
    case DeliveryMode::kLowestPriority:
      if (message.vector < kFirstLegalVector) {
        raise_error(kErrorSendIllegalVector);
        return {ApicEffect::Kind::kRecheck};
      }
      break;
    case DeliveryMode::kInit:
      // INIT level de-assert only set arbitration ids, on CPUs of the past.
      if ((low & kIcrLevel) != 0 && (low & kIcrAssert) == 0) {
        return {};
      }
      break;
    case DeliveryMode::kNmi:
    case DeliveryMode::kStartup:
      break;
    default:  // SMI: the machine has no SMM; the rest is reserved
      return {};
  }
  // SDM, "Interrupt Command Register (ICR)": self takes fixed interrupts only, and so does all
  // including self, which would reset the sender.
  const bool includes_self =
      message.shorthand == Shorthand::kSelf || message.shorthand == Shorthand::kAll;
  if (includes_self && message.mode != DeliveryMode::kFixed) {
    return {};
  }
  return {ApicEffect::Kind::kSend, message};
}

ApicEffect LocalApic::write_register(unsigned index, std::uint32_t value, std::uint64_t now_ns) {
  constexpr ApicEffect kRecheck{ApicEffect::Kind::kRecheck};
  if (index >= kLvtFirst && index <= kLvtLast) {
    write_lvt(index - kLvtFirst, value, now_ns);
    return kRecheck;
  }
  switch (index) {
    case kTpr:
      tpr_ = static_cast<std::uint8_t>(value);
      return kRecheck;
    case kEoi:
      return end_of_interrupt();
    case kLdr:
      xapic_ldr_ = value & 0xff00'0000;
      return {};
    case kDfr:
      dfr_ = value | kDfrFixed;
      return {};
    case kSpurious:
      write_spurious(value);
      return kRecheck;
    case kErrorStatus:
      error_status_ = error_pending_;
      error_pending_ = 0;
      return {};
    case kIcrLow:
      return write_icr(value);
    case kIcrHigh:
      icr_high_ = value & 0xff00'0000;
      return {};
    case kInitialCount:
      timer_.set_initial_count(value, now_ns);
      return {};
    case kDivide:
      timer_.set_divide(value, now_ns);
      return {};
    default:
      return {};
  }
}

std::uint32_t LocalApic::mmio_read(unsigned index, std::uint64_t now_ns) {
  if (!is_readable(index) && index != kEoi) {
    raise_error(kErrorIllegalRegister);
    return 0;
  }
  return read_register(index, now_ns);
}

ApicEffect LocalApic::mmio_write(unsigned index, std::uint32_t value, std::uint64_t now_ns) {
  if (!is_writable(index)) {
    if (!is_readable(index)) {
      raise_error(kErrorIllegalRegister);
    }
    return {ApicEffect::Kind::kRecheck};
  }
  return write_register(index, value, now_ns);
}

// SDM volume 3, "x2APIC Register Address Space".
Result<std::uint64_t, Gp> LocalApic::msr_read(unsigned index, std::uint64_t now_ns) {
  if (mode() != Mode::kX2apic || !is_readable(index) || index == kApr || index == kDfr ||
      index == kIcrHigh) {
    return Err{Gp{}};
  }
  if (index == kIcrLow) {
    return std::uint64_t{icr_high_} << 32 | icr_low_;
  }
  return std::uint64_t{read_register(index, now_ns)};
}

Result<ApicEffect, Gp> LocalApic::msr_write(unsigned index, std::uint64_t value,
                                            std::uint64_t now_ns) {
  std::uint64_t allowed = 0;
  switch (index) {
    case kTpr:
    case kSelfIpi:
      allowed = 0xff;
      break;
    case kEoi:
    case kErrorStatus:
      break;
    case kSpurious:
      allowed = kSpuriousMask;
      break;
    case kIcrLow:
      allowed = bit_mask(63, 32) | kIcrWritable;
      break;
    case kInitialCount:
      allowed = 0xffff'ffff;
      break;
    case kDivide:
      allowed = 0xb;
      break;
    default:
      if (index < kLvtFirst || index > kLvtLast) {
        return Err{Gp{}};
      }
      // Delivery status and remote IRR are read-only and ignored.
      allowed =
          kLvtWritable[index - kLvtFirst] | 0x1000 | (index - kLvtFirst >= kLint0 ? 0x4000 : 0);
      break;
  }
  if (mode() != Mode::kX2apic || (value & ~allowed) != 0) {
    return Err{Gp{}};
  }
  const auto low = static_cast<std::uint32_t>(value);
  if (index == kSelfIpi) {
    return write_icr(static_cast<std::uint32_t>(Shorthand::kSelf) << 18 | low);
  }
  if (index == kIcrLow) {
    icr_high_ = static_cast<std::uint32_t>(value >> 32);
  }
  return write_register(index, low, now_ns);
}

}  // namespace archelon::devices
