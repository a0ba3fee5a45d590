#include <catch2/catch.hpp>

#include "hv/guest/layout.hpp"

using namespace archelon;
using namespace archelon::guest;

// Every byte that the memory map calls RAM is backed by EPT01 at exactly one place.
TEST_CASE("the map and the backing of a VM's memory agree for every size") {
  for (std::uint64_t memory = kMinMemory; memory <= 6 * kGiB; memory += 31 * kMemoryUnit) {
    const MemoryLayout layout = MemoryLayout::of(memory).value();
    for (const MemoryMapEntry& entry : layout.map()) {
      unsigned backings = 0;
      for (const RamRange& range : layout.ram()) {
        if (entry.base >= range.base && entry.base - range.base < range.size) {
          REQUIRE(entry.base - range.base + entry.size <= range.size);
          ++backings;
        }
      }
      const bool device = entry.base == kIoApic || entry.base == kLocalApic;
      REQUIRE(backings == (device ? 0U : 1U));
    }
    REQUIRE(layout.ram().back().backing_offset + layout.ram().back().size == memory);
  }
}
