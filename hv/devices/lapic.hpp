#pragma once

#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/result.hpp"
#include "hv/devices/interrupt_message.hpp"
#include "hv/devices/lapic_timer.hpp"
#include "hv/devices/machine_config.hpp"
#include "hv/devices/vector_set.hpp"

namespace archelon::devices {

// What a register write of a local APIC asks of the rest of the machine.
struct ApicEffect {
  enum class Kind : std::uint8_t {
    kNone,
    kRecheck,  // what the CPU may take may have changed
    kEoi,      // as kRecheck, and `message.vector` was level-triggered: tell the IOAPIC
    kSend,     // `message` leaves through the ICR
  };
  Kind kind = Kind::kNone;
  InterruptMessage message{};
};

// A local APIC (SDM volume 3, "Advanced Programmable Interrupt Controller (APIC)"), in xAPIC or
// x2APIC mode. Registers are numbered by their x2APIC MSR less 800h, which is their MMIO offset
// / 16.
class LocalApic {
 public:
  enum class Mode : std::uint8_t { kDisabled, kXapic, kX2apic };

  constexpr LocalApic() = default;
  LocalApic(unsigned id, const MachineConfig& config);

  // Power-on state. `virtual_wire`: enabled, with LINT0 passing the 8259s' output and LINT1 NMIs.
  void reset(bool virtual_wire);
  // INIT: as power-on, but IA32_APIC_BASE stays.
  void init();

  [[nodiscard]] std::uint64_t base_msr() const { return base_msr_; }
  Status<Gp> set_base_msr(std::uint64_t value);
  [[nodiscard]] Mode mode() const {
    if ((base_msr_ & kBaseEnable) == 0) {
      return Mode::kDisabled;
    }
    return (base_msr_ & kBaseX2apic) != 0 ? Mode::kX2apic : Mode::kXapic;
  }
  [[nodiscard]] Gpa1 base() const;
  [[nodiscard]] std::uint32_t id() const { return id_; }

  [[nodiscard]] std::uint32_t mmio_read(unsigned index, std::uint64_t now_ns);
  ApicEffect mmio_write(unsigned index, std::uint32_t value, std::uint64_t now_ns);
  [[nodiscard]] Result<std::uint64_t, Gp> msr_read(unsigned index, std::uint64_t now_ns);
  Result<ApicEffect, Gp> msr_write(unsigned index, std::uint64_t value, std::uint64_t now_ns);
  [[nodiscard]] std::uint8_t tpr() const { return tpr_; }
  void set_tpr(std::uint8_t value) { tpr_ = value; }
  [[nodiscard]] std::uint8_t ppr() const {
    const unsigned in_service = isr_.highest().value_or(0) & 0xf0u;
    return in_service > (tpr_ & 0xf0u) ? static_cast<std::uint8_t>(in_service) : tpr_;
  }
  [[nodiscard]] LapicTimer& timer() { return timer_; }
  [[nodiscard]] const LapicTimer& timer() const { return timer_; }

  // Whether the message's destination names this APIC.
  [[nodiscard]] bool matches(const InterruptMessage& message) const;
  // A fixed interrupt arrives. False when it is not accepted (software-disabled, illegal vector).
  bool accept(std::uint8_t vector, bool level_triggered);
  // The vector that the CPU would take now.
  [[nodiscard]] std::optional<std::uint8_t> deliverable() const {
    if (irr_.empty() || mode() == Mode::kDisabled) {
      return std::nullopt;
    }
    const std::uint8_t vector = *irr_.highest();
    return vector >> 4 > ppr() >> 4 ? std::optional(vector) : std::nullopt;
  }
  // Moves `vector`, the deliverable one, from IRR to ISR.
  void acknowledge(std::uint8_t vector);

  // LINT0, where it is unmasked (a globally disabled APIC passes the pin as ExtINT).
  struct LocalInterrupt {
    DeliveryMode mode;
    std::uint8_t vector;
  };
  [[nodiscard]] std::optional<LocalInterrupt> lint0() const;

  // kNever when no expiry would interrupt.
  [[nodiscard]] std::uint64_t next_deadline_ns() const {
    return (lvt_[kTimer] & kLvtMasked) != 0 ? kNever : timer_.expiry_ns();
  }
  // Fires the timer if it is due; true when that made an interrupt.
  bool advance(std::uint64_t now_ns);

  [[nodiscard]] const VectorSet& irr() const { return irr_; }
  [[nodiscard]] const VectorSet& isr() const { return isr_; }
  [[nodiscard]] const VectorSet& tmr() const { return tmr_; }

 private:
  static constexpr std::uint64_t kBaseX2apic = std::uint64_t{1} << 10;
  static constexpr std::uint64_t kBaseEnable = std::uint64_t{1} << 11;
  static constexpr std::uint32_t kLvtMasked = 0x0001'0000;
  static constexpr std::uint32_t kSpuriousEnable = 0x0000'0100;
  enum Lvt : unsigned { kTimer, kThermal, kPerformance, kLint0, kLint1, kError, kLvtCount };

  [[nodiscard]] bool software_enabled() const { return (spurious_ & kSpuriousEnable) != 0; }
  [[nodiscard]] std::uint32_t logical_id() const;
  [[nodiscard]] std::uint32_t read_register(unsigned index, std::uint64_t now_ns) const;
  ApicEffect write_register(unsigned index, std::uint32_t value, std::uint64_t now_ns);
  ApicEffect write_icr(std::uint32_t low);
  ApicEffect end_of_interrupt();
  void write_spurious(std::uint32_t value);
  void write_lvt(unsigned entry, std::uint32_t value, std::uint64_t now_ns);
  void raise_error(std::uint32_t bit);

  std::uint64_t base_msr_ = 0;
  std::uint64_t base_msr_mask_ = 0;  // the bits that IA32_APIC_BASE may have set
  VectorSet irr_;
  VectorSet isr_;
  VectorSet tmr_;
  LapicTimer timer_;
  std::uint32_t id_ = 0;
  std::uint32_t icr_low_ = 0;
  std::uint32_t icr_high_ = 0;
  std::uint32_t xapic_ldr_ = 0;
  std::uint32_t dfr_ = 0xffff'ffff;
  std::uint32_t spurious_ = 0xff;
  std::uint32_t error_status_ = 0;
  std::uint32_t error_pending_ = 0;
  std::uint32_t lvt_[kLvtCount]{};
  std::uint8_t tpr_ = 0;
  bool tsc_deadline_supported_ = false;
};

}  // namespace archelon::devices
