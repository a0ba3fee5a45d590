#include "drivers/acpi/madt.hpp"

#include "hv/base/bits.hpp"
#include "hv/base/byte_reader.hpp"

namespace archelon::drivers::acpi {
namespace {

enum class EntryType : std::uint8_t {
  kLapic = 0,
  kIoApic = 1,
  kOverride = 2,
  kLapicNmi = 4,
  kLapicBase = 5,
  kX2Apic = 9,
  kX2ApicNmi = 10,
};

// Sizes of the entry types above (ACPI, "Interrupt Controller Structure Types").
constexpr std::size_t size_of(EntryType type) {
  switch (type) {
    case EntryType::kLapic:
      return 8;
    case EntryType::kIoApic:
    case EntryType::kLapicBase:
    case EntryType::kX2ApicNmi:
      return 12;
    case EntryType::kOverride:
      return 10;
    case EntryType::kLapicNmi:
      return 6;
    case EntryType::kX2Apic:
      return 16;
  }
  return 0;
}

constexpr std::string_view kFull = "more entries of a kind than there is room for";

// Adds a CPU; disabled ones that can never come online are not there at all.
std::string_view add_cpu(Madt& madt, std::uint32_t apic_id, std::uint32_t uid,
                         std::uint32_t flags) {
  constexpr std::uint32_t kEnabled = 1, kOnlineCapable = 2;
  if ((flags & (kEnabled | kOnlineCapable)) == 0) {
    return {};
  }
  for (const MadtCpu& cpu : madt.cpus) {
    if (cpu.apic_id == apic_id) {
      return "two CPUs with the same APIC ID";
    }
  }
  return madt.cpus.push_back({apic_id, uid, (flags & kEnabled) != 0}) ? std::string_view{} : kFull;
}

// ISA lines are active-high and edge-triggered unless the flags say otherwise (ACPI, "MPS INTI
// Flags").
InterruptOverride make_override(std::uint8_t line, std::uint32_t gsi, std::uint16_t flags) {
  constexpr std::uint64_t kActiveLow = 3, kLevel = 3;
  return {line, gsi, bit_field(flags, 1, 0) == kActiveLow, bit_field(flags, 3, 2) == kLevel};
}

}  // namespace

std::string_view Madt::add_entry(std::span<const std::byte> entry) {
  const ByteReader reader(entry);
  const auto type = static_cast<EntryType>(reader.get<std::uint8_t>(0).value_or(0xff));
  const std::size_t size = size_of(type);
  if (size == 0) {
    return {};  // of no use here
  }
  if (entry.size() < size) {
    return "entry is too short for its kind";
  }
  const auto u8 = [&](std::size_t at) { return *reader.get<std::uint8_t>(at); };
  const auto u16 = [&](std::size_t at) { return *reader.get<std::uint16_t>(at); };
  const auto u32 = [&](std::size_t at) { return *reader.get<std::uint32_t>(at); };
  bool fits = true;
  switch (type) {
    case EntryType::kLapic:
      // 0xff is the broadcast ID: firmware marks unused slots with it.
      return u8(3) == 0xff ? std::string_view{} : add_cpu(*this, u8(3), u8(2), u32(4));
    case EntryType::kX2Apic:
      return u32(4) == 0xffff'ffff ? std::string_view{} : add_cpu(*this, u32(4), u32(12), u32(8));
    case EntryType::kIoApic:
      if (u32(4) == 0) {
        return "IOAPIC without an address";
      }
      fits = ioapics.push_back({u8(2), Hpa(u32(4)), u32(8)});
      break;
    case EntryType::kOverride:
      if (u8(2) != 0 || u8(3) > 15) {
        return "interrupt override of no ISA line";
      }
      fits = overrides.push_back(make_override(u8(3), u32(4), u16(8)));
      break;
    case EntryType::kLapicNmi:
      fits = nmis.push_back({u8(2), u8(2) == 0xff, static_cast<std::uint8_t>(u8(5) & 1)});
      break;
    case EntryType::kX2ApicNmi:
      fits = nmis.push_back({u32(4), u32(4) == 0xffff'ffff, static_cast<std::uint8_t>(u8(8) & 1)});
      break;
    case EntryType::kLapicBase: {
      const std::uint64_t base = *reader.get<std::uint64_t>(4);
      if (base == 0 || !is_aligned(base, kPageSize)) {
        return "impossible LAPIC address";
      }
      lapic_base = Hpa(base);
      break;
    }
  }
  return fits ? std::string_view{} : kFull;
}

InterruptOverride Madt::route_of(std::uint8_t line) const {
  for (const InterruptOverride& item : overrides) {
    if (item.isa_line == line) {
      return item;
    }
  }
  return {line, line, false, false};
}

const MadtIoApic* Madt::ioapic_of(std::uint32_t gsi) const {
  const MadtIoApic* best = nullptr;
  for (const MadtIoApic& item : ioapics) {
    if (item.gsi_base <= gsi && (best == nullptr || item.gsi_base > best->gsi_base)) {
      best = &item;
    }
  }
  return best;
}

}  // namespace archelon::drivers::acpi
