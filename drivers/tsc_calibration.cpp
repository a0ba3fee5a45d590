#include "drivers/tsc_calibration.hpp"

#include "drivers/tick_scale.hpp"

namespace archelon::drivers {
namespace {

constexpr std::uint64_t kMinHz = 1'000'000;
constexpr std::uint64_t kMaxHz = 100'000'000'000;
constexpr std::uint64_t kAssumedHz = 1'000'000'000;

constexpr bool is_plausible(std::uint64_t hz) {
  return hz >= kMinHz && hz <= kMaxHz;
}

constexpr bool differ_much(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t difference = a > b ? a - b : b - a;
  return difference > b / 20;
}

}  // namespace

std::string_view to_string(TscSource source) {
  switch (source) {
    case TscSource::kCpuid:
      return "CPUID";
    case TscSource::kHypervisorLeaf:
      return "the outer hypervisor";
    case TscSource::kMeasured:
      return "measurement";
    case TscSource::kAssumed:
      return "assumption";
  }
  return "?";
}

std::optional<std::uint64_t> tsc_hz_from_cpuid(const arch::CpuidResult& leaf15,
                                               const arch::CpuidResult& leaf16) {
  const std::uint64_t denominator = leaf15.eax, numerator = leaf15.ebx, crystal_hz = leaf15.ecx;
  if (denominator == 0 || numerator == 0) {
    return std::nullopt;
  }
  const std::uint64_t base_hz = std::uint64_t{leaf16.eax & 0xffff} * 1'000'000;
  const std::uint64_t hz = crystal_hz != 0 ? crystal_hz * numerator / denominator : base_hz;
  return is_plausible(hz) ? std::optional(hz) : std::nullopt;
}

TscFrequency choose_tsc_frequency(std::optional<std::uint64_t> cpuid_hz,
                                  std::optional<std::uint64_t> hypervisor_khz,
                                  std::optional<TscMeasurement> measured) {
  std::optional<std::uint64_t> claim = cpuid_hz;
  TscSource source = TscSource::kCpuid;
  if (!claim && hypervisor_khz && is_plausible(*hypervisor_khz * 1000)) {
    claim = *hypervisor_khz * 1000;
    source = TscSource::kHypervisorLeaf;
  }
  if (claim && !(measured && differ_much(*claim, measured->hz))) {
    return {*claim, source, 0};
  }
  if (measured) {
    return {measured->hz, TscSource::kMeasured, claim.value_or(0)};
  }
  return {kAssumedHz, TscSource::kAssumed, 0};
}

std::optional<std::uint64_t> tsc_hz_from_counts(std::uint64_t tsc_ticks,
                                                std::uint64_t counter_ticks,
                                                std::uint64_t counter_hz) {
  // A window is far below 2^40 ticks of either clock; larger numbers come from a broken one.
  constexpr std::uint64_t kTooMany = std::uint64_t{1} << 40;
  if (counter_ticks == 0 || counter_ticks >= kTooMany || tsc_ticks >= kTooMany ||
      tsc_ticks / counter_ticks >= kTooMany >> 8) {
    return std::nullopt;
  }
  const std::uint64_t hz = TickScale(tsc_ticks, counter_ticks).convert(counter_hz);
  return is_plausible(hz) ? std::optional(hz) : std::nullopt;
}

}  // namespace archelon::drivers
