#pragma once

#include <concepts>
#include <cstdint>

#include "hv/arch/msr.hpp"
#include "hv/base/bits.hpp"

// The local APIC that L0 drives. SDM vol. 3A, "Advanced Programmable Interrupt Controller (APIC)".
namespace archelon::drivers {

// A register by its number: MMIO offset >> 4, x2APIC MSR - 0x800.
enum class LapicRegister : std::uint8_t {
  kId = 0x02,
  kVersion = 0x03,
  kTaskPriority = 0x08,
  kEoi = 0x0b,
  kSpurious = 0x0f,
  kErrorStatus = 0x28,
  kLvtCmci = 0x2f,
  kInterruptCommand = 0x30,
  kInterruptCommandHigh = 0x31,  // xAPIC only
  kLvtTimer = 0x32,
  kLvtThermal = 0x33,
  kLvtPerformance = 0x34,
  kLvtLint0 = 0x35,
  kLvtLint1 = 0x36,
  kLvtError = 0x37,
  kTimerInitial = 0x38,
  kTimerCurrent = 0x39,
  kTimerDivide = 0x3e,
};

enum class LapicMode : std::uint8_t { kXapic, kX2apic };

// Register access in whichever mode the LAPIC is. write_icr is the 64-bit write of x2APIC mode.
template <class P>
concept LapicPort = requires(P port, LapicRegister r, std::uint32_t v32, std::uint64_t v64) {
  { port.mode() } -> std::same_as<LapicMode>;
  { port.read(r) } -> std::same_as<std::uint32_t>;
  port.write(r, v32);
  port.write_icr(v64);
  port.write_tsc_deadline(v64);
  port.relax();  // PAUSE
};

namespace lapic {
inline constexpr std::uint32_t kSoftwareEnable = 1U << 8;  // in the spurious-vector register
inline constexpr std::uint32_t kMasked = 1U << 16;         // in an LVT entry
inline constexpr std::uint32_t kLvtNmi = 4U << 8;
inline constexpr std::uint32_t kTimerTscDeadline = 2U << 17;
inline constexpr std::uint32_t kDivideBy1 = 0xb;
inline constexpr std::uint32_t kIcrFixed = 0U << 8;
inline constexpr std::uint32_t kIcrNmi = 4U << 8;
inline constexpr std::uint32_t kIcrInit = 5U << 8;
inline constexpr std::uint32_t kIcrStartup = 6U << 8;
inline constexpr std::uint32_t kIcrPending = 1U << 12;
inline constexpr std::uint32_t kIcrAssert = 1U << 14;
inline constexpr std::uint32_t kIcrLevel = 1U << 15;
// Polls of a pending ICR before an IPI counts as lost; each is an uncached read.
inline constexpr std::uint32_t kMaxIcrPolls = 1'000'000;
// xAPIC destinations have eight bits, of which all ones is everybody.
inline constexpr std::uint32_t kMaxXapicId = 0xfe;
}  // namespace lapic

// The mode to use: x2APIC where firmware left it on (it cannot be left without a reset) or a CPU's
// ID does not fit into xAPIC destinations, else xAPIC. `apic_base` is IA32_APIC_BASE.
[[nodiscard]] constexpr LapicMode choose_lapic_mode(std::uint64_t apic_base, bool has_x2apic,
                                                    std::uint32_t highest_apic_id) {
  const bool is_on = (apic_base & arch::msr::kApicBaseX2apic) != 0;
  const bool needed = has_x2apic && highest_apic_id > lapic::kMaxXapicId;
  return is_on || needed ? LapicMode::kX2apic : LapicMode::kXapic;
}

// IA32_APIC_BASE for that mode, with the rest kept. The way from disabled to x2APIC leads through
// xAPIC (SDM vol. 3A, "x2APIC State Transitions"): write the value for kXapic first.
[[nodiscard]] constexpr std::uint64_t apic_base_for(std::uint64_t apic_base, LapicMode mode) {
  return apic_base | arch::msr::kApicBaseEnable |
         (mode == LapicMode::kX2apic ? arch::msr::kApicBaseX2apic : 0);
}

// The LAPIC of the CPU that executes this.
template <LapicPort P>
class Lapic {
 public:
  constexpr Lapic() = default;
  constexpr explicit Lapic(P port) : port_(port) {}

  // Software-enables the LAPIC with every local interrupt masked and all priorities accepted.
  void enable(std::uint8_t spurious_vector) {
    const unsigned max_lvt = bit_field(port_.read(LapicRegister::kVersion), 23, 16) & 0xff;
    port_.write(LapicRegister::kTaskPriority, 0);
    // Software-enabling comes first: while disabled, mask bits cannot be cleared and stay set.
    port_.write(LapicRegister::kSpurious, lapic::kSoftwareEnable | spurious_vector);
    port_.write(LapicRegister::kLvtTimer, lapic::kMasked);
    port_.write(LapicRegister::kLvtLint0, lapic::kMasked);
    port_.write(LapicRegister::kLvtLint1, lapic::kMasked);
    port_.write(LapicRegister::kLvtError, lapic::kMasked);
    if (max_lvt >= 4) {
      port_.write(LapicRegister::kLvtPerformance, lapic::kMasked);
    }
    if (max_lvt >= 5) {
      port_.write(LapicRegister::kLvtThermal, lapic::kMasked);
    }
    if (max_lvt >= 6) {
      port_.write(LapicRegister::kLvtCmci, lapic::kMasked);
    }
    port_.write(LapicRegister::kErrorStatus, 0);
    port_.write(LapicRegister::kEoi, 0);
  }

  // Lets the pin LINT0 or LINT1 deliver NMI, as the MADT says which does.
  void set_nmi_pin(unsigned lint) {
    port_.write(lint == 0 ? LapicRegister::kLvtLint0 : LapicRegister::kLvtLint1, lapic::kLvtNmi);
  }

  [[nodiscard]] LapicMode mode() { return port_.mode(); }
  [[nodiscard]] std::uint32_t id() {
    const std::uint32_t id = port_.read(LapicRegister::kId);
    return port_.mode() == LapicMode::kX2apic ? id : id >> 24;
  }
  void eoi() { port_.write(LapicRegister::kEoi, 0); }
  // Errors since the last call (SDM vol. 3A, "Error Status Register (ESR)").
  [[nodiscard]] std::uint32_t take_errors() {
    port_.write(LapicRegister::kErrorStatus, 0);
    return port_.read(LapicRegister::kErrorStatus);
  }

  // Interprocessor interrupts to the CPU with APIC ID `destination`. False where the LAPIC does not
  // get rid of it in bounded time, or the destination has no place in xAPIC mode.
  [[nodiscard]] bool send_fixed(std::uint32_t destination, std::uint8_t vector) {
    return send(destination, lapic::kIcrFixed | lapic::kIcrAssert | vector);
  }
  [[nodiscard]] bool send_nmi(std::uint32_t destination) {
    return send(destination, lapic::kIcrNmi | lapic::kIcrAssert);
  }
  [[nodiscard]] bool send_init(std::uint32_t destination) {
    return send(destination, lapic::kIcrInit | lapic::kIcrLevel | lapic::kIcrAssert);
  }
  // `start` is page aligned and below 1 MiB: where the CPU begins in real mode.
  [[nodiscard]] bool send_startup(std::uint32_t destination, std::uint32_t start) {
    return send(destination, lapic::kIcrStartup | lapic::kIcrAssert | ((start >> 12) & 0xff));
  }

  // One interrupt `vector` after `count` ticks of the timer clock, undivided; 0 stops the timer.
  void start_one_shot(std::uint8_t vector, std::uint32_t count) {
    port_.write(LapicRegister::kTimerDivide, lapic::kDivideBy1);
    port_.write(LapicRegister::kLvtTimer, vector);
    port_.write(LapicRegister::kTimerInitial, count);
  }
  // The timer runs from `count` without interrupting: for calibration.
  void start_masked(std::uint32_t count) {
    port_.write(LapicRegister::kTimerDivide, lapic::kDivideBy1);
    port_.write(LapicRegister::kLvtTimer, lapic::kMasked);
    port_.write(LapicRegister::kTimerInitial, count);
  }
  [[nodiscard]] std::uint32_t timer_count() { return port_.read(LapicRegister::kTimerCurrent); }
  void stop_timer() {
    port_.write(LapicRegister::kLvtTimer, lapic::kMasked);
    port_.write(LapicRegister::kTimerInitial, 0);
  }

  // From now on set_deadline() arms the timer (CPUID.1:ECX.24 needed).
  void use_tsc_deadline(std::uint8_t vector) {
    port_.write(LapicRegister::kLvtTimer, lapic::kTimerTscDeadline | vector);
  }
  // One interrupt when the TSC reaches `tsc`; 0 disarms.
  void set_deadline(std::uint64_t tsc) { port_.write_tsc_deadline(tsc); }

 private:
  bool send(std::uint32_t destination, std::uint32_t command) {
    if (port_.mode() == LapicMode::kX2apic) {
      port_.write_icr((std::uint64_t{destination} << 32) | command);
      return true;
    }
    if (destination > lapic::kMaxXapicId || !wait_idle()) {
      return false;
    }
    port_.write(LapicRegister::kInterruptCommandHigh, destination << 24);
    port_.write(LapicRegister::kInterruptCommand, command);
    return wait_idle();
  }

  bool wait_idle() {
    for (std::uint32_t i = 0; i < lapic::kMaxIcrPolls; ++i) {
      if ((port_.read(LapicRegister::kInterruptCommand) & lapic::kIcrPending) == 0) {
        return true;
      }
      port_.relax();
    }
    return false;
  }

  P port_{};
};

// The timer's initial count for an interrupt `ticks` timer ticks ahead: at least one tick (0 would
// stop the timer), and no more than the counter holds (the interrupt then comes early, harmlessly).
[[nodiscard]] constexpr std::uint32_t one_shot_count(std::uint64_t ticks) {
  constexpr std::uint64_t kMax = ~std::uint32_t{0};
  return static_cast<std::uint32_t>(ticks == 0 ? 1 : (ticks > kMax ? kMax : ticks));
}

}  // namespace archelon::drivers
