#include "runtime/apic.hpp"

#include "runtime/cpu.hpp"

namespace guest::apic {
namespace {

constexpr std::uint64_t kBaseX2apic = 1U << 10;
constexpr std::uint64_t kBaseEnable = 1U << 11;
constexpr std::uint64_t kAddressMask = 0xffffff000;

constexpr std::uint32_t msr_of(std::uint32_t offset) {
  return 0x800 + offset / 16;
}

std::uint64_t page() {
  return rdmsr(msr::kApicBase) & kAddressMask;
}

}  // namespace

bool has_x2apic() {
  return (cpuid(1).ecx >> 21 & 1) != 0;
}

bool in_x2apic_mode() {
  return (rdmsr(msr::kApicBase) & kBaseX2apic) != 0;
}

void enable(bool x2apic) {
  std::uint64_t base = rdmsr(msr::kApicBase) | kBaseEnable;
  if (x2apic) base |= kBaseX2apic;
  wrmsr(msr::kApicBase, base);
  write(kSpurious, 0x100 | kSpuriousVector);
  write(kTpr, 0);
}

std::uint32_t read(std::uint32_t offset) {
  if (in_x2apic_mode()) return static_cast<std::uint32_t>(rdmsr(msr_of(offset)));
  return volatile_read<std::uint32_t>(page() + offset);
}

void write(std::uint32_t offset, std::uint32_t value) {
  if (in_x2apic_mode()) {
    wrmsr(msr_of(offset), value);
  } else {
    volatile_write<std::uint32_t>(page() + offset, value);
  }
}

std::uint32_t id() {
  return in_x2apic_mode() ? read(kId) : read(kId) >> 24;
}

void send(std::uint32_t destination, std::uint32_t command) {
  if (in_x2apic_mode()) {
    wrmsr(msr_of(kIcrLow), std::uint64_t{destination} << 32 | command);
    return;
  }
  write(kIcrHigh, destination << 24);
  write(kIcrLow, command);
  while ((read(kIcrLow) & (1U << 12)) != 0) pause();
}

void send_to_self(std::uint8_t vector) {
  send(0, 1U << 18 | 1U << 14 | vector);
}

void end_of_interrupt() {
  write(kEoi, 0);
}

}  // namespace guest::apic
