#pragma once

#include "drivers/hw/ports.hpp"
#include "drivers/ioapic.hpp"
#include "drivers/lapic.hpp"
#include "hv/arch/cpuid.hpp"
#include "hv/arch/msr.hpp"

namespace archelon::drivers {

// The LAPIC of whichever CPU executes: memory-mapped at the same place on each, or by MSR.
class HwLapicPort {
 public:
  constexpr HwLapicPort() = default;
  constexpr HwLapicPort(LapicMode mode, Hpa base) : mode_(mode), mmio_(base) {}

  [[nodiscard]] LapicMode mode() const { return mode_; }
  [[nodiscard]] std::uint32_t read(LapicRegister r) const {
    return mode_ == LapicMode::kX2apic ? static_cast<std::uint32_t>(hw::rdmsr(index(r)))
                                       : mmio_.read32(offset(r));
  }
  void write(LapicRegister r, std::uint32_t value) const {
    if (mode_ == LapicMode::kX2apic) {
      hw::wrmsr(index(r), value);
    } else {
      mmio_.write32(offset(r), value);
    }
  }
  void write_icr(std::uint64_t value) const {
    // A WRMSR to the x2APIC does not wait for earlier stores, which the receiver will want to see.
    asm volatile("mfence; lfence" : : : "memory");
    hw::wrmsr(arch::msr::kX2apicIcr, value);
  }
  void write_tsc_deadline(std::uint64_t tsc) const { hw::wrmsr(arch::msr::kTscDeadline, tsc); }
  static void relax() { hw::pause(); }

 private:
  static constexpr std::uint32_t index(LapicRegister r) {
    return arch::msr::kX2apicFirst + static_cast<std::uint32_t>(r);
  }
  static constexpr std::uint64_t offset(LapicRegister r) {
    return static_cast<std::uint64_t>(r) << 4;
  }

  LapicMode mode_ = LapicMode::kXapic;
  HwMmio mmio_;
};
static_assert(LapicPort<HwLapicPort>);

using HwLapic = Lapic<HwLapicPort>;
using HwIoApic = IoApic<HwMmio>;

// Brings the executing CPU's LAPIC into `mode` (choose_lapic_mode on the boot CPU decides for all)
// and software-enables it with everything masked. In xAPIC mode the LAPIC's page, which is moved to
// `base` when it is elsewhere, must have been mapped as device memory. The result serves every CPU
// that was brought into the same mode.
inline HwLapic enable_lapic(LapicMode mode, Hpa base, std::uint8_t spurious_vector) {
  using namespace arch;
  std::uint64_t value = hw::rdmsr(msr::kApicBase);
  if ((value & msr::kApicBaseX2apic) == 0) {
    value = (value & ~msr::kApicBaseAddress) | base.value();
    hw::wrmsr(msr::kApicBase, apic_base_for(value, LapicMode::kXapic));
    if (mode == LapicMode::kX2apic) {
      hw::wrmsr(msr::kApicBase, apic_base_for(value, LapicMode::kX2apic));
    }
  } else {
    mode = LapicMode::kX2apic;
  }
  HwLapic lapic(HwLapicPort(mode, base));
  lapic.enable(spurious_vector);
  return lapic;
}

[[nodiscard]] inline bool has_lapic() {
  return (hw::cpuid(arch::cpuid::kFeatures).edx & arch::cpuid::k1EdxApic) != 0;
}
[[nodiscard]] inline bool has_x2apic() {
  return (hw::cpuid(arch::cpuid::kFeatures).ecx & arch::cpuid::k1EcxX2apic) != 0;
}
[[nodiscard]] inline bool has_tsc_deadline() {
  return (hw::cpuid(arch::cpuid::kFeatures).ecx & arch::cpuid::k1EcxTscDeadline) != 0;
}

// choose_lapic_mode for the executing CPU.
[[nodiscard]] inline LapicMode choose_hw_lapic_mode(std::uint32_t highest_apic_id) {
  return choose_lapic_mode(hw::rdmsr(arch::msr::kApicBase), has_x2apic(), highest_apic_id);
}

}  // namespace archelon::drivers
