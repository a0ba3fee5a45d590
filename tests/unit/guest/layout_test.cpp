#include "hv/guest/layout.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::guest;

namespace {

void check_invariants(const MemoryLayout& layout) {
  std::uint64_t end = 0;
  for (const MemoryMapEntry& entry : layout.map()) {
    CHECK(entry.base.value() >= end);
    CHECK(entry.size != 0);
    end = entry.base.value() + entry.size;
  }
  // What the map calls RAM or firmware area is backed; what it does not mention is not.
  std::uint64_t mapped = 0;
  for (const MemoryMapEntry& entry : layout.map()) {
    if (entry.type == MemoryType::kRam || entry.base == kFirmwareArea) {
      mapped += entry.size;
    }
  }
  std::uint64_t backed = 0;
  std::uint64_t offset = 0;
  for (const RamRange& range : layout.ram()) {
    CHECK(range.backing_offset >= offset);
    offset = range.backing_offset + range.size;
    backed += range.size;
    CHECK(range.base.value() % kGiB == range.backing_offset % kGiB);
  }
  CHECK(offset == layout.memory());
  CHECK(backed == mapped);
  CHECK(backed == layout.memory() - (kFirmwareArea - kLowMemoryEnd));
}

}  // namespace

TEST_CASE("a small VM has all of its RAM below the PCI hole") {
  const MemoryLayout layout = MemoryLayout::of(512 * kMiB).value();
  check_invariants(layout);
  CHECK(layout.low_ram_end() == Gpa1{0x2000'0000});
  CHECK(layout.high_ram_size() == 0);
  CHECK(layout.ram().size() == 2);
  CHECK(layout.ram()[1].base == kFirmwareArea);
  CHECK(layout.map()[2].base == Gpa1{0x10'0000});
  CHECK(layout.map()[2].size == 511 * kMiB);
}

TEST_CASE("RAM beyond 3 GiB goes above 4 GiB") {
  const MemoryLayout exact = MemoryLayout::of(3 * kGiB).value();
  check_invariants(exact);
  CHECK(exact.high_ram_size() == 0);

  const MemoryLayout layout = MemoryLayout::of(5 * kGiB).value();
  check_invariants(layout);
  CHECK(layout.low_ram_end() == kPciHole);
  CHECK(layout.ram()[2].base == kHighRam);
  CHECK(layout.ram()[2].size == 2 * kGiB);
  CHECK(layout.ram()[2].backing_offset == 3 * kGiB);
  CHECK(layout.map().back().base == kHighRam);
}

TEST_CASE("usable RAM leaves out the video window, the firmware area and the hole") {
  const MemoryLayout layout = MemoryLayout::of(4 * kGiB).value();
  CHECK(layout.is_usable_ram(Gpa1{0}, 0xA0000));
  CHECK_FALSE(layout.is_usable_ram(Gpa1{0}, 0xA0001));
  CHECK_FALSE(layout.is_usable_ram(Gpa1{0xE0000}, 1));
  CHECK(layout.is_usable_ram(Gpa1{0x100000}, 3 * kGiB - kMiB));
  CHECK_FALSE(layout.is_usable_ram(Gpa1{0x100000}, 3 * kGiB - kMiB + 1));
  CHECK_FALSE(layout.is_usable_ram(Gpa1{0xFEE0'0000}, 4));
  CHECK(layout.is_usable_ram(Gpa1{0x1'0000'0000}, kGiB));
  CHECK_FALSE(layout.is_usable_ram(Gpa1{0x1'0000'0000}, ~std::uint64_t{0}));
}

TEST_CASE("the option ROMs lie where there is no RAM, on backing of their own") {
  const MemoryLayout layout = MemoryLayout::of(4 * kMiB).value();
  const RamRange roms = layout.option_roms();
  CHECK(roms.base == Gpa1{0xC0000});
  CHECK(roms.base + roms.size == kFirmwareArea);
  for (const RamRange& ram : layout.ram()) {
    CHECK((roms.base + roms.size <= ram.base || ram.base + ram.size <= roms.base));
    CHECK((roms.backing_offset + roms.size <= ram.backing_offset ||
           ram.backing_offset + ram.size <= roms.backing_offset));
  }
  CHECK_FALSE(layout.is_usable_ram(roms.base, 1));
}

TEST_CASE("a size that cannot be a VM's memory is refused by name") {
  CHECK(MemoryLayout::of(2 * kMiB).error() == LayoutError::kTooSmall);
  CHECK(MemoryLayout::of(513 * kGiB).error() == LayoutError::kTooLarge);
  CHECK(MemoryLayout::of(5 * kMiB).error() == LayoutError::kNotAligned);
}
