#include "hv/arch/msr_bank.hpp"

#include <optional>

#include "hv/base/bits.hpp"

namespace archelon::arch {
namespace {

using namespace msr;

constexpr std::uint64_t kFourGib = std::uint64_t{1} << 32;

// The place of the bank's MSR `index`: they follow each other in the order of the rules.
std::optional<std::size_t> slot_of(std::uint32_t index) {
  std::size_t slot = 0;
  for (const MsrRule& rule : msr_rules()) {
    if (rule.owner == MsrOwner::kBank) {
      if (index >= rule.first && index <= rule.last) {
        return slot + (index - rule.first);
      }
      slot += rule.last - rule.first + 1;
    }
  }
  return std::nullopt;
}

bool is_memory_type(std::uint64_t type) {
  return type == kMemoryUc || type == kMemoryWc || type == kMemoryWt || type == kMemoryWp ||
         type == kMemoryWb;
}

bool is_mask(std::uint32_t index) {
  return ((index - kMtrrPhysBase0) & 1) != 0;
}

constexpr std::uint64_t repeat(std::uint8_t type) {
  return std::uint64_t{type} * 0x0101'0101'0101'0101;
}

}  // namespace

void MsrBank::reset(const MsrConfig& config) {
  config_ = config;
  tsc_adjust_ = 0;
  for (const MsrRule& rule : msr_rules()) {
    if (rule.owner != MsrOwner::kBank) {
      continue;
    }
    for (std::uint32_t index = rule.first; index <= rule.last; ++index) {
      values_[*slot_of(index)] = rule.reset;
    }
  }
  values_[*slot_of(kArchCapabilities)] = config.arch_capabilities_value;
  values_[*slot_of(kMicrocodeSignature)] = std::uint64_t{config.microcode_revision} << 32;
  if (config.vmx) {
    values_[*slot_of(kFeatureControl)] |= kFeatureControlVmxOutsideSmx;
  }
}

void MsrBank::set_firmware_mtrrs(Gpa1 end_of_low_memory) {
  values_[*slot_of(kMtrrFix64k00000)] = repeat(kMemoryWb);
  values_[*slot_of(kMtrrFix16k80000)] = repeat(kMemoryWb);
  values_[*slot_of(kMtrrFix16kA0000)] = repeat(kMemoryUc);
  for (std::uint32_t index = kMtrrFix4kC0000; index <= kMtrrFix4kF8000; ++index) {
    values_[*slot_of(index)] = repeat(kMemoryWp);
  }
  // Uncached up to 4 GiB, in pieces of which each is a power of two and aligned to its size.
  const std::uint64_t address_bits = ~reserved_address_bits() & ~(kPageSize - 1);
  std::uint64_t at = end_of_low_memory.value();
  std::uint32_t index = kMtrrPhysBase0;
  for (; at < kFourGib && at != 0 && index < kMtrrPhysBase0 + 16; index += 2) {
    const std::uint64_t size = at & (~at + 1);  // the lowest bit set: 4 GiB is at or above its end
    values_[*slot_of(index)] = at | kMemoryUc;
    values_[*slot_of(index + 1)] = (~(size - 1) & address_bits) | kMtrrPhysMaskValid;
    at += size;
  }
  values_[*slot_of(kMtrrDefType)] = kMemoryWb | kMtrrDefTypeFixedEnable | kMtrrDefTypeEnable;
}

Result<std::uint64_t, Gp> MsrBank::read(std::uint32_t index) const {
  const auto slot = slot_of(index);
  // The update trigger can be written only.
  if (!slot || msr_owner(index, config_) != MsrOwner::kBank || index == kMicrocodeUpdate) {
    return Err{Gp{}};
  }
  return values_[*slot];
}

Status<Gp> MsrBank::write(std::uint32_t index, std::uint64_t value) {
  const MsrRule* rule = find_msr_rule(index);
  const auto slot = slot_of(index);
  if (rule == nullptr || !slot || msr_owner(index, config_) != MsrOwner::kBank ||
      !valid_write(*rule, index, value)) {
    return Err{Gp{}};
  }
  switch (rule->write) {
    case MsrWrite::kRefused:
    case MsrWrite::kIgnored:
      break;
    case MsrWrite::kMasked:
      values_[*slot] = (values_[*slot] & ~rule->writable) | (value & rule->writable);
      break;
    default:
      values_[*slot] = value;
      break;
  }
  return Ok{};
}

bool MsrBank::valid_write(const MsrRule& rule, std::uint32_t index, std::uint64_t value) const {
  switch (rule.write) {
    case MsrWrite::kRefused:
      return false;
    case MsrWrite::kIgnored:
      return true;
    case MsrWrite::kMasked: {
      const std::uint64_t changed = value ^ values_[*slot_of(index)];
      return (changed & ~(rule.writable | rule.ignored)) == 0;
    }
    // SDM vol. 3A, "MTRRs": reserved bits and memory types.
    case MsrWrite::kMtrrVariable:
      if ((value & reserved_address_bits()) != 0) {
        return false;
      }
      return is_mask(index) ? (value & bit_mask(10, 0)) == 0
                            : (value & bit_mask(11, 8)) == 0 && is_memory_type(value & 0xff);
    case MsrWrite::kMtrrFixed:
      for (unsigned i = 0; i < 8; ++i) {
        if (!is_memory_type(bit_field(value, 8 * i + 7, 8 * i))) {
          return false;
        }
      }
      return true;
    case MsrWrite::kMtrrDefault:
      return (value & ~(kMtrrDefTypeType | kMtrrDefTypeFixedEnable | kMtrrDefTypeEnable)) == 0 &&
             is_memory_type(value & kMtrrDefTypeType);
  }
  return false;
}

std::uint64_t MsrBank::reserved_address_bits() const {
  return config_.physical_bits >= 64 ? 0 : ~std::uint64_t{0} << config_.physical_bits;
}

std::uint64_t MsrBank::write_tsc(std::uint64_t value, std::uint64_t now) {
  const std::uint64_t delta = value - now;
  tsc_adjust_ += delta;
  return delta;
}

std::uint64_t MsrBank::write_tsc_adjust(std::uint64_t value) {
  const std::uint64_t delta = value - tsc_adjust_;
  tsc_adjust_ = value;
  return delta;
}

}  // namespace archelon::arch
