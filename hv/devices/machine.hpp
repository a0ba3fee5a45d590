#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/result.hpp"
#include "hv/devices/acpi_pm.hpp"
#include "hv/devices/interrupts.hpp"
#include "hv/devices/keyboard_controller.hpp"
#include "hv/devices/machine_config.hpp"
#include "hv/devices/pci_config.hpp"
#include "hv/devices/pit.hpp"
#include "hv/devices/rtc.hpp"
#include "hv/devices/time.hpp"
#include "hv/devices/uart.hpp"

namespace archelon::devices {

// The PC that one VM sees. The caller serialises all calls; `now_ns` is the VM's time and does not
// go backwards. `cpu` is less than the configured number of CPUs. Any access of any size at any
// address is defined: what nothing decodes reads all ones and ignores writes.
template <MachineHost H>
class Machine {
 public:
  Machine(H& host, const MachineConfig& config, std::uint64_t now_ns)
      : host_(host), config_(config), interrupts_(host, config) {
    // The end of the year 9999 is as far as the clock can show.
    constexpr std::uint64_t kLastSecond = 253'402'300'799;
    rtc_.reset(static_cast<std::int64_t>(std::min(config.wall_clock_seconds, kLastSecond)), now_ns);
    reset(now_ns);
  }

  // As power-on, or as firmware hands over (MachineConfig::firmware_handoff). The time of day and
  // console input that waits survive. Every vCPU is kicked; resetting the vCPUs is the caller's.
  void reset(std::uint64_t now_ns);

  // An IN or OUT of 1, 2 or 4 bytes.
  [[nodiscard]] std::uint32_t io_read(std::uint16_t port, unsigned size, std::uint64_t now_ns);
  void io_write(std::uint16_t port, unsigned size, std::uint32_t value, std::uint64_t now_ns);

  // Whether some CPU sees a device at the address.
  [[nodiscard]] bool mmio_contains(Gpa1 address) const;
  // Accesses of 1, 2, 4 or 8 bytes that CPU `cpu` makes.
  [[nodiscard]] std::uint64_t mmio_read(unsigned cpu, Gpa1 address, unsigned size,
                                        std::uint64_t now_ns);
  void mmio_write(unsigned cpu, Gpa1 address, unsigned size, std::uint64_t value,
                  std::uint64_t now_ns);

  [[nodiscard]] LocalApic& lapic(unsigned cpu) { return interrupts_.lapic(cpu); }
  [[nodiscard]] const LocalApic& lapic(unsigned cpu) const { return interrupts_.lapic(cpu); }

  // RDMSR and WRMSR of 800h-8FFh.
  [[nodiscard]] Result<std::uint64_t, Gp> x2apic_read(unsigned cpu, std::uint32_t msr,
                                                      std::uint64_t now_ns) {
    return lapic(cpu).msr_read(msr - kX2apicFirst, now_ns);
  }
  Status<Gp> x2apic_write(unsigned cpu, std::uint32_t msr, std::uint64_t value,
                          std::uint64_t now_ns) {
    const auto effect = lapic(cpu).msr_write(msr - kX2apicFirst, value, now_ns);
    if (!effect.ok()) {
      return Err{Gp{}};
    }
    apply(cpu, *effect);
    return Ok{};
  }
  // IA32_APIC_BASE.
  [[nodiscard]] std::uint64_t apic_base(unsigned cpu) const { return lapic(cpu).base_msr(); }
  Status<Gp> set_apic_base(unsigned cpu, std::uint64_t value) {
    const Status<Gp> status = lapic(cpu).set_base_msr(value);
    update_deadline();
    host_.kick(cpu);
    return status;
  }
  // IA32_TSC_DEADLINE in units of the guest's TSC, which reads `guest_tsc` at `now_ns`.
  [[nodiscard]] std::uint64_t tsc_deadline(unsigned cpu) const {
    return lapic(cpu).timer().tsc_deadline();
  }
  void set_tsc_deadline(unsigned cpu, std::uint64_t value, std::uint64_t guest_tsc,
                        std::uint64_t now_ns) {
    lapic(cpu).timer().set_tsc_deadline(value, guest_tsc, now_ns);
    update_deadline();
  }
  [[nodiscard]] std::uint64_t cr8(unsigned cpu) const { return lapic(cpu).tpr() >> 4; }
  // `value` is 0 to 15: the instruction faults on more.
  void set_cr8(unsigned cpu, std::uint64_t value) {
    lapic(cpu).set_tpr(static_cast<std::uint8_t>(value << 4));
    host_.kick(cpu);
  }

  // The earliest moment at which advance() has something to do; kNever if none is foreseen.
  [[nodiscard]] std::uint64_t next_deadline_ns() const { return deadline_ns_; }
  // As above, of what belongs to one CPU: its APIC timer, and the machine's timers for CPU 0.
  [[nodiscard]] std::uint64_t next_deadline_ns(unsigned cpu) const {
    const std::uint64_t own = lapic(cpu).next_deadline_ns();
    return cpu == 0 ? std::min(own, shared_deadline_ns_) : own;
  }
  // Fires what is due. Cheap when nothing is.
  void advance(std::uint64_t now_ns) {
    if (now_ns >= deadline_ns_) {
      fire(now_ns);
    }
  }

  // The vector that the CPU would be given now, given its TPR and what is in service; the 8259s'
  // (ExtINT) goes first. Nothing is acknowledged.
  [[nodiscard]] std::optional<std::uint8_t> pending_interrupt(unsigned cpu) const {
    return interrupts_.pending(cpu);
  }
  [[nodiscard]] bool has_pending(unsigned cpu) const { return pending_interrupt(cpu).has_value(); }
  // Takes that vector: IRR to ISR, or the 8259s' INTA cycles.
  std::optional<std::uint8_t> acknowledge_interrupt(unsigned cpu) {
    return interrupts_.acknowledge(cpu);
  }

  // A byte typed at COM1. False when it was dropped because too many wait.
  bool console_input(std::uint8_t byte) {
    const bool kept = uart_.receive(byte);
    update_lines();
    return kept;
  }
  void press_power_button() {
    pm_.press_power_button();
    update_lines();
  }
  // The NMI mask of port 70h.
  [[nodiscard]] bool nmi_masked() const { return rtc_.nmi_masked(); }

 private:
  static constexpr std::uint32_t kX2apicFirst = 0x800;
  static constexpr std::uint16_t kPciAddress = 0xcf8;
  static constexpr std::uint16_t kPciData = 0xcfc;

  [[nodiscard]] std::uint8_t read_port(std::uint16_t port, std::uint64_t now_ns);
  void write_port(std::uint16_t port, std::uint8_t value, std::uint64_t now_ns);
  void write_uart(unsigned index, std::uint8_t value);
  void write_reset_control(std::uint8_t value);
  void write_port92(std::uint8_t value);

  [[nodiscard]] static bool in_page(Gpa1 address, Gpa1 page) { return address.page() == page; }
  [[nodiscard]] bool sees_lapic(unsigned cpu, Gpa1 address) const {
    return lapic(cpu).mode() == LocalApic::Mode::kXapic && in_page(address, lapic(cpu).base());
  }

  void apply(unsigned cpu, const ApicEffect& effect) {
    interrupts_.apply(cpu, effect);
    update_deadline();
  }
  void update_lines() {
    interrupts_.set_line(kUartIrq, uart_.line());
    interrupts_.set_line(kRtcIrq, rtc_.line());
    interrupts_.set_line(kSciIrq, pm_.line());
  }
  // After a change of a local APIC's timer.
  void update_deadline() {
    deadline_ns_ = shared_deadline_ns_;
    for (unsigned i = 0; i < interrupts_.cpus(); ++i) {
      deadline_ns_ = std::min(deadline_ns_, lapic(i).next_deadline_ns());
    }
  }
  // After a change of the PIT, the RTC or the PM block.
  void update_shared_deadline() {
    shared_deadline_ns_ =
        std::min({pit_.next_edge_ns(), rtc_.next_deadline_ns(), pm_.next_deadline_ns()});
    update_deadline();
  }
  void fire(std::uint64_t now_ns) {
    for (unsigned i = 0; i < interrupts_.cpus(); ++i) {
      interrupts_.advance_timer(i, now_ns);
    }
    if (now_ns < shared_deadline_ns_) {
      update_deadline();
      return;
    }
    if (pit_.take_edge(now_ns)) {
      interrupts_.pulse(kPitIrq);
    }
    rtc_.advance(now_ns);
    pm_.advance(now_ns);
    update_lines();
    update_shared_deadline();
  }
  void power(PowerEvent event, std::uint32_t code) { host_.power(event, code); }

  H& host_;
  MachineConfig config_;
  Interrupts<H> interrupts_;
  Uart uart_;
  Pit pit_;
  Rtc rtc_;
  AcpiPm pm_;
  PciConfig pci_;
  KeyboardController keyboard_;
  std::uint64_t deadline_ns_ = kNever;
  std::uint64_t shared_deadline_ns_ = kNever;  // of all but the local APICs
  std::uint8_t reset_control_ = 0;
  std::uint8_t post_code_ = 0;
};

}  // namespace archelon::devices

#include "hv/devices/machine_io.hpp"
