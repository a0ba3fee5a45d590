#include "drivers/hw/tsc.hpp"

#include <optional>

#include "drivers/reference_counters.hpp"
#include "hv/arch/cpuid.hpp"
#include "hv/base/log.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::drivers {
namespace {

struct HwTsc {
  static std::uint64_t read() { return hw::rdtsc(); }
};

arch::CpuidResult leaf(std::uint32_t index) {
  const auto r = hw::cpuid(index);
  return {r.eax, r.ebx, r.ecx, r.edx};
}

std::optional<std::uint64_t> claimed_by_cpuid() {
  using namespace arch::cpuid;
  const std::uint32_t highest = leaf(kVendor).eax;
  if (highest < kTscFrequency) {
    return std::nullopt;
  }
  const auto base =
      highest >= kProcessorFrequency ? leaf(kProcessorFrequency) : arch::CpuidResult{};
  return tsc_hz_from_cpuid(leaf(kTscFrequency), base);
}

std::optional<std::uint64_t> claimed_by_hypervisor_khz() {
  using namespace arch::cpuid;
  constexpr std::uint32_t kTimingLeaf = kHypervisorFirst + 0x10;
  if ((leaf(kFeatures).ecx & k1EcxHypervisor) == 0 || leaf(kHypervisorFirst).eax < kTimingLeaf ||
      leaf(kHypervisorFirst).eax > kHypervisorLast) {
    return std::nullopt;
  }
  return leaf(kTimingLeaf).eax;
}

struct Measured {
  std::optional<TscMeasurement> result;
  std::string_view by;
};

Measured measure(const acpi::Info& acpi) {
  HwTsc tsc;
  if (acpi.hpet) {
    if (auto hpet = HpetCounter<HwMmio>::open(HwMmio(*acpi.hpet))) {
      if (const auto result = measure_tsc(tsc, *hpet)) {
        return {result, "HPET"};
      }
    }
  }
  const acpi::GenericAddress& timer = acpi.fadt.pm_timer;
  if (timer.present() && timer.space == acpi::GenericAddress::Space::kIo &&
      timer.address <= 0xffff) {
    PmTimerCounter<HwPorts> counter({}, static_cast<std::uint16_t>(timer.address));
    if (const auto result = measure_tsc(tsc, counter)) {
      return {result, "ACPI PM timer"};
    }
  }
  PitCounter<HwPorts> pit{HwPorts{}};
  return {measure_tsc(tsc, pit), "8254"};
}

}  // namespace

TscFrequency calibrate_tsc(const acpi::Info& acpi) {
  const Measured measured = measure(acpi);
  const TscFrequency chosen =
      choose_tsc_frequency(claimed_by_cpuid(), claimed_by_hypervisor_khz(), measured.result);
  if (chosen.rejected_hz != 0) {
    log_info("TSC: CPUID's {} kHz rejected, more than 5% off", chosen.rejected_hz / 1000);
  }
  if (measured.result) {
    log_info("TSC: {} kHz by {} ({} measured {} kHz, +-{})", chosen.hz / 1000,
             to_string(chosen.source), measured.by, measured.result->hz / 1000,
             measured.result->error_hz / 1000);
  } else if (chosen.source == TscSource::kAssumed) {
    log_warning("TSC: no claim and no timer to measure with; {} kHz assumed", chosen.hz / 1000);
  } else {
    log_info("TSC: {} kHz by {} (no timer to check it with)", chosen.hz / 1000,
             to_string(chosen.source));
  }
  return chosen;
}

TickScale calibrate_lapic_timer(HwLapic& lapic, std::uint64_t tsc_hz) {
  constexpr std::uint64_t kWindowsPerSecond = 100;
  constexpr std::uint32_t kStart = ~std::uint32_t{0};
  const std::uint64_t window = tsc_hz / kWindowsPerSecond;
  lapic.start_masked(kStart);
  const std::uint64_t begin = hw::rdtsc();
  const std::uint32_t first = lapic.timer_count();
  while (hw::rdtsc() - begin < window) {
    hw::pause();
  }
  const std::uint32_t last = lapic.timer_count();
  const std::uint64_t passed = hw::rdtsc() - begin;
  lapic.stop_timer();
  return last == 0 || last >= first ? TickScale{} : TickScale(first - last, passed);
}

}  // namespace archelon::drivers
