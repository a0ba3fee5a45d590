#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "hv/devices/ioapic.hpp"
#include "hv/devices/lapic.hpp"
#include "hv/devices/machine_config.hpp"
#include "hv/devices/pic.hpp"

namespace archelon::devices {

// The interrupt controllers of a PC and the wires between them: device lines reach the 8259s and
// the IOAPIC, the 8259s' output reaches every LINT0 and IOAPIC pin 0, the IOAPIC and the ICRs reach
// the local APICs.
template <MachineHost H>
class Interrupts {
 public:
  Interrupts(H& host, const MachineConfig& config)
      : host_(host), cpus_(std::clamp(config.cpus, 1u, kMaxCpus)) {
    for (unsigned i = 0; i < cpus_; ++i) {
      lapics_[i] = LocalApic(i, config);
    }
  }

  [[nodiscard]] unsigned cpus() const { return cpus_; }
  [[nodiscard]] LocalApic& lapic(unsigned cpu) { return lapics_[cpu]; }
  [[nodiscard]] const LocalApic& lapic(unsigned cpu) const { return lapics_[cpu]; }
  [[nodiscard]] Ioapic& ioapic() { return ioapic_; }

  void reset(bool firmware_handoff) {
    lines_ = 0;
    for (unsigned irq = 0; irq < 16; ++irq) {
      pic_.set_line(irq, false);
      ioapic_.set_line(pin(irq), false);
    }
    pic_.reset();
    ioapic_.reset();
    extint_ = {};
    for (unsigned i = 0; i < cpus_; ++i) {
      lapics_[i].reset(firmware_handoff && i == 0);
    }
    if (firmware_handoff) {
      pic_.firmware_handoff();
    }
    pic_output_ = pic_.output();
    for (unsigned i = 0; i < cpus_; ++i) {
      host_.kick(i);
    }
  }

  // A legacy interrupt line, 0 to 15 but 2.
  void set_line(unsigned irq, bool level) {
    const std::uint32_t bit = 1u << irq;
    if (((lines_ & bit) != 0) == level) {
      return;
    }
    lines_ ^= bit;
    pic_.set_line(irq, level);
    ioapic_.set_line(pin(irq), level);
    pic_changed();
    send_ioapic_messages();
  }
  void pulse(unsigned irq) {
    set_line(irq, true);
    set_line(irq, false);
  }

  [[nodiscard]] std::uint8_t pic_read(std::uint16_t port) {
    const std::uint8_t value = pic_.read(port);
    pic_changed();
    return value;
  }
  void pic_write(std::uint16_t port, std::uint8_t value) {
    pic_.write(port, value);
    pic_changed();
  }
  [[nodiscard]] std::uint32_t ioapic_read(unsigned offset) const { return ioapic_.read(offset); }
  void ioapic_write(unsigned offset, std::uint32_t value) {
    ioapic_.write(offset, value);
    send_ioapic_messages();
  }

  // Carries out what a register write of CPU `cpu`'s local APIC asks for.
  void apply(unsigned cpu, const ApicEffect& effect) {
    switch (effect.kind) {
      case ApicEffect::Kind::kNone:
        break;
      case ApicEffect::Kind::kRecheck:
        host_.kick(cpu);
        break;
      case ApicEffect::Kind::kEoi:
        ioapic_.end_of_interrupt(effect.message.vector);
        send_ioapic_messages();
        host_.kick(cpu);
        break;
      case ApicEffect::Kind::kSend:
        send(effect.message, cpu);
        break;
    }
  }

  [[nodiscard]] std::optional<std::uint8_t> pending(unsigned cpu) const {
    if (takes_extint(cpu)) {
      return pic_.vector();
    }
    return lapics_[cpu].deliverable();
  }
  std::optional<std::uint8_t> acknowledge(unsigned cpu) {
    if (takes_extint(cpu)) {
      extint_[cpu] = false;
      const std::uint8_t vector = pic_.acknowledge();
      pic_changed();
      return vector;
    }
    const auto vector = lapics_[cpu].deliverable();
    if (vector) {
      lapics_[cpu].acknowledge(*vector);
    }
    return vector;
  }

  void advance_timer(unsigned cpu, std::uint64_t now_ns) {
    if (now_ns >= lapics_[cpu].next_deadline_ns() && lapics_[cpu].advance(now_ns)) {
      host_.kick(cpu);
    }
  }

 private:
  [[nodiscard]] static constexpr unsigned pin(unsigned irq) {
    return irq == kPitIrq ? kPitIoapicPin : irq == 2 ? kPicIoapicPin : irq;
  }

  // Whether an external interrupt of the 8259s is offered to the CPU: through its LINT0, or by a
  // message from the IOAPIC.
  [[nodiscard]] bool takes_extint(unsigned cpu) const {
    if (!pic_output_) {
      return false;
    }
    const auto lint0 = lapics_[cpu].lint0();
    return extint_[cpu] || (lint0 && lint0->mode == DeliveryMode::kExtInt);
  }

  void pic_changed() {
    const bool output = pic_.output();
    if (output == pic_output_) {
      return;
    }
    pic_output_ = output;
    ioapic_.set_line(kPicIoapicPin, output);
    send_ioapic_messages();
    if (!output) {
      return;
    }
    for (unsigned i = 0; i < cpus_; ++i) {
      if (const auto lint0 = lapics_[i].lint0()) {
        deliver(i, {.vector = lint0->vector, .mode = lint0->mode});
      }
    }
  }

  void send_ioapic_messages() {
    while (const auto message = ioapic_.take_message()) {
      send(*message, kMaxCpus);
    }
  }

  // `sender` is kMaxCpus for a message from the IOAPIC.
  void send(const InterruptMessage& message, unsigned sender) {
    if (message.mode == DeliveryMode::kLowestPriority && message.shorthand == Shorthand::kNone) {
      if (const auto cpu = lowest_priority(message)) {
        deliver(*cpu, message);
      }
      return;
    }
    for (unsigned i = 0; i < cpus_; ++i) {
      if (addresses(message, sender, i)) {
        deliver(i, message);
      }
    }
  }

  [[nodiscard]] bool addresses(const InterruptMessage& message, unsigned sender,
                               unsigned cpu) const {
    switch (message.shorthand) {
      case Shorthand::kSelf:
        return cpu == sender;
      case Shorthand::kAll:
        return lapics_[cpu].mode() != LocalApic::Mode::kDisabled;
      case Shorthand::kOthers:
        return cpu != sender && lapics_[cpu].mode() != LocalApic::Mode::kDisabled;
      default:
        return lapics_[cpu].matches(message);
    }
  }

  // Among equals the turn goes round.
  [[nodiscard]] std::optional<unsigned> lowest_priority(const InterruptMessage& message) {
    std::optional<unsigned> best;
    for (unsigned step = 1; step <= cpus_; ++step) {
      const unsigned cpu = (last_lowest_ + step) % cpus_;
      if (lapics_[cpu].matches(message) && (!best || lapics_[cpu].ppr() < lapics_[*best].ppr())) {
        best = cpu;
      }
    }
    last_lowest_ = best.value_or(last_lowest_);
    return best;
  }

  void deliver(unsigned cpu, const InterruptMessage& message) {
    switch (message.mode) {
      case DeliveryMode::kFixed:
      case DeliveryMode::kLowestPriority:
        // Kicked even where it is not accepted: the refusal may have raised an error interrupt.
        lapics_[cpu].accept(message.vector, message.level_triggered);
        host_.kick(cpu);
        break;
      case DeliveryMode::kNmi:
        host_.nmi_cpu(cpu);
        break;
      case DeliveryMode::kInit:
        lapics_[cpu].init();
        extint_[cpu] = false;
        host_.init_cpu(cpu);
        break;
      case DeliveryMode::kStartup:
        host_.startup_cpu(cpu, message.vector);
        break;
      case DeliveryMode::kExtInt:
        // From the IOAPIC it is remembered; a LINT0 that passes the output is asked each time.
        if (!lapics_[cpu].lint0() || lapics_[cpu].lint0()->mode != DeliveryMode::kExtInt) {
          extint_[cpu] = true;
        }
        host_.kick(cpu);
        break;
      case DeliveryMode::kSmi:
      case DeliveryMode::kReserved:
        break;
    }
  }

  H& host_;
  unsigned cpus_;
  std::array<LocalApic, kMaxCpus> lapics_{};
  Ioapic ioapic_;
  PicPair pic_;
  std::uint32_t lines_ = 0;
  unsigned last_lowest_ = 0;
  bool pic_output_ = false;
  std::array<bool, kMaxCpus> extint_{};
};

}  // namespace archelon::devices
