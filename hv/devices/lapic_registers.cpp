#include "hv/base/bits.hpp"
#include "hv/devices/lapic.hpp"

// The register interface of the local APIC, by MMIO and by MSR.
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

// Version 14h (an integrated APIC), six LVT entries, no suppression of EOI broadcasts.
constexpr std::uint32_t kVersionValue = 0x0005'0014;
constexpr std::uint32_t kSpuriousMask = 0x0000'03ff;
constexpr std::uint32_t kDfrFixed = 0x0fff'ffff;
// The writable bits of the LVT entries, in the order of the registers.
constexpr std::uint32_t kLvtWritable[] = {0x0007'00ff, 0x0001'07ff, 0x0001'07ff,
                                          0x0001'a7ff, 0x0001'a7ff, 0x0001'00ff};
constexpr std::uint32_t kTimerTscDeadline = 0x0004'0000;
constexpr std::uint32_t kIcrWritable = 0x000c'cfff;
constexpr std::uint32_t kIcrLogical = 0x0000'0800;
constexpr std::uint32_t kIcrAssert = 0x0000'4000;
constexpr std::uint32_t kIcrLevel = 0x0000'8000;

constexpr std::uint32_t kErrorSendIllegalVector = 0x20;
constexpr std::uint32_t kErrorIllegalRegister = 0x80;

constexpr bool is_readable(unsigned index) {
  return index == kId || index == kVersion || (index >= kTpr && index <= kPpr) || index == kLdr ||
         index == kDfr || index == kSpurious || (index >= kIsr && index <= kErrorStatus) ||
         (index >= kIcrLow && index <= kCurrentCount) || index == kDivide;
}

constexpr bool is_writable(unsigned index) {
  return index == kTpr || index == kEoi || index == kLdr || index == kDfr || index == kSpurious ||
         index == kErrorStatus || (index >= kIcrLow && index <= kInitialCount) || index == kDivide;
}

}  // namespace

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
