#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::guest {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;
inline constexpr std::uint64_t kGiB = 1024 * kMiB;

// The fixed points of a VM's physical address space, those of every PC since the first.
inline constexpr Gpa1 kLowMemoryEnd{0xA'0000};  // 640 KiB; then the window of a video card
inline constexpr Gpa1 kOptionRoms{0xC'0000};    // read-only: all ones, no ROM's signature
inline constexpr Gpa1 kFirmwareArea{0xE'0000};  // RAM that carries the ACPI tables, as a BIOS has
inline constexpr Gpa1 kFirmwareAreaEnd{0x10'0000};
inline constexpr Gpa1 kPciHole{0xC000'0000};  // no RAM from here up to 4 GiB
inline constexpr Gpa1 kIoApic{0xFEC0'0000};
inline constexpr Gpa1 kLocalApic{0xFEE0'0000};
inline constexpr Gpa1 kHighRam{0x1'0000'0000};

// Memory is given out in units of one 2 MiB EPT page.
inline constexpr std::uint64_t kMemoryUnit = 2 * kMiB;
inline constexpr std::uint64_t kMinMemory = 4 * kMiB;
inline constexpr std::uint64_t kMaxMemory = 512 * kGiB;

// One range of RAM (or of the option ROMs) for EPT01. `backing_offset` says where it lies in one
// block of MemoryLayout::memory() bytes; base and backing_offset are congruent modulo 1 GiB up to
// the PCI hole and above it, so that EPT01 can use large pages when the block itself is aligned.
struct RamRange {
  Gpa1 base;
  std::uint64_t size = 0;
  std::uint64_t backing_offset = 0;
};

// Types of the INT 15h E820h / ACPI address range descriptor (ACPI, "System Address Map
// Interfaces"); Linux's and multiboot's memory maps use the same numbers.
enum class MemoryType : std::uint32_t { kRam = 1, kReserved = 2, kAcpiTables = 3, kAcpiNvs = 4 };

struct MemoryMapEntry {
  Gpa1 base;
  std::uint64_t size = 0;
  MemoryType type = MemoryType::kReserved;
};

enum class LayoutError : std::uint8_t { kTooSmall, kTooLarge, kNotAligned };

[[nodiscard]] constexpr const char* describe(LayoutError error) {
  switch (error) {
    case LayoutError::kTooSmall:
      return "memory is below the minimum of 4M";
    case LayoutError::kTooLarge:
      return "memory is above the maximum of 512G";
    case LayoutError::kNotAligned:
      return "memory is not a multiple of 2M";
  }
  return "memory is wrong";
}

// Where a VM's memory lies in its physical address space, as EPT01 maps it and as its firmware
// tables tell it: RAM to 640 KiB, the option ROMs, the firmware area, RAM from 1 MiB to the PCI
// hole, RAM above 4 GiB. What lies under the video window (128 KiB) is not used.
class MemoryLayout {
 public:
  constexpr MemoryLayout() = default;

  [[nodiscard]] static constexpr Result<MemoryLayout, LayoutError> of(std::uint64_t memory) {
    if (memory < kMinMemory) {
      return Err{LayoutError::kTooSmall};
    }
    if (memory > kMaxMemory) {
      return Err{LayoutError::kTooLarge};
    }
    if (!is_aligned(memory, kMemoryUnit)) {
      return Err{LayoutError::kNotAligned};
    }
    return MemoryLayout(memory);
  }

  // Bytes of backing memory: those that the configuration asked for.
  [[nodiscard]] constexpr std::uint64_t memory() const { return memory_; }
  // The end of RAM below the PCI hole.
  [[nodiscard]] constexpr Gpa1 low_ram_end() const { return low_ram_end_; }
  // Bytes of RAM from 4 GiB on; 0 when there is none.
  [[nodiscard]] constexpr std::uint64_t high_ram_size() const {
    return memory_ - low_ram_end_.value();
  }

  // RAM for EPT01, ascending, without the holes.
  [[nodiscard]] constexpr std::span<const RamRange> ram() const {
    return {ram_.data(), ram_.size()};
  }
  // The option ROMs, which the memory map leaves out: kernels scan them, so that they are memory
  // to EPT01 rather than an exit for each word.
  [[nodiscard]] static constexpr RamRange option_roms() {
    return {kOptionRoms, kFirmwareArea - kOptionRoms, kOptionRoms.value()};
  }
  // The memory map for the guest, ascending, without overlaps.
  [[nodiscard]] constexpr std::span<const MemoryMapEntry> map() const {
    return {map_.data(), map_.size()};
  }

  // True where all of [base, base + size) is RAM of one range that the guest may use freely.
  [[nodiscard]] constexpr bool is_usable_ram(Gpa1 base, std::uint64_t size) const {
    for (const MemoryMapEntry& entry : map_) {
      if (entry.type == MemoryType::kRam && base >= entry.base) {
        const std::uint64_t offset = base - entry.base;
        if (offset <= entry.size && size <= entry.size - offset) {
          return true;
        }
      }
    }
    return false;
  }

 private:
  constexpr explicit MemoryLayout(std::uint64_t memory)
      : memory_(memory), low_ram_end_(Gpa1(memory < kPciHole.value() ? memory : kPciHole.value())) {
    add_ram(Gpa1{0}, kLowMemoryEnd - Gpa1{0}, 0);
    add_ram(kFirmwareArea, low_ram_end_ - kFirmwareArea, kFirmwareArea.value());
    add_map(Gpa1{0}, kLowMemoryEnd - Gpa1{0}, MemoryType::kRam);
    add_map(kFirmwareArea, kFirmwareAreaEnd - kFirmwareArea, MemoryType::kReserved);
    add_map(kFirmwareAreaEnd, low_ram_end_ - kFirmwareAreaEnd, MemoryType::kRam);
    add_map(kIoApic, kPageSize, MemoryType::kReserved);
    add_map(kLocalApic, kPageSize, MemoryType::kReserved);
    if (high_ram_size() != 0) {
      add_ram(kHighRam, high_ram_size(), low_ram_end_.value());
      add_map(kHighRam, high_ram_size(), MemoryType::kRam);
    }
  }

  constexpr void add_ram(Gpa1 base, std::uint64_t size, std::uint64_t offset) {
    ARCHELON_ASSERT(ram_.push_back({base, size, offset}));
  }
  constexpr void add_map(Gpa1 base, std::uint64_t size, MemoryType type) {
    ARCHELON_ASSERT(map_.push_back({base, size, type}));
  }

  std::uint64_t memory_ = 0;
  Gpa1 low_ram_end_;
  StaticVector<RamRange, 3> ram_;
  StaticVector<MemoryMapEntry, 6> map_;
};

}  // namespace archelon::guest
