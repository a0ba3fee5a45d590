#include "boot/memory_map.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <tuple>
#include <vector>

#include "tests/support/byte_builder.hpp"

using namespace archelon;
using namespace archelon::boot;
using Kind = MemoryKind;
using Row = std::tuple<std::uint64_t, std::uint64_t, Kind>;

namespace {

std::vector<Row> rows(const MemoryMap& map) {
  std::vector<Row> out;
  for (const MemoryRange& r : map) {
    out.emplace_back(r.begin.value(), r.end.value(), r.kind);
  }
  return out;
}

}  // namespace

TEST_CASE("Unsorted and adjacent ranges become sorted and merged") {
  MemoryMap map;
  map.add(Hpa(0x200000), 0x100000, Kind::kUsable);
  map.add(Hpa(0x0), 0x9fc00, Kind::kUsable);
  map.add(Hpa(0x9fc00), 0x400, Kind::kReserved);
  map.add(Hpa(0x100000), 0x100000, Kind::kUsable);
  map.add(Hpa(0x500000), 0, Kind::kUsable);
  CHECK(rows(map) == std::vector<Row>{{0x0, 0x9f000, Kind::kUsable},
                                      {0x9f000, 0xa0000, Kind::kReserved},
                                      {0x100000, 0x300000, Kind::kUsable}});
  CHECK(map.bytes(Kind::kUsable) == 0x9f000 + 0x200000);
  CHECK(map.top_of_ram() == Hpa(0x300000));
}

TEST_CASE("Where ranges overlap the more restrictive wins, in whatever order they come") {
  const std::vector<Row> expected{{0x1000, 0x3000, Kind::kUsable},
                                  {0x3000, 0x4000, Kind::kAcpiReclaimable},
                                  {0x4000, 0x6000, Kind::kReserved},
                                  {0x6000, 0x9000, Kind::kUsable}};
  const Row pieces[] = {{0x1000, 0x9000, Kind::kUsable},
                        {0x3000, 0x5000, Kind::kAcpiReclaimable},
                        {0x4000, 0x6000, Kind::kReserved}};
  const int orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {2, 0, 1}};
  for (const auto& order : orders) {
    MemoryMap map;
    for (const int i : order) {
      const auto [begin, end, kind] = pieces[i];
      map.add(Hpa(begin), end - begin, kind);
    }
    CHECK(rows(map) == expected);
  }
}

TEST_CASE("A length that wraps around ends at the top") {
  MemoryMap map;
  map.add(Hpa(0x1000), 0x4000, Kind::kUsable);
  map.add(Hpa(0x3000), ~0ULL, Kind::kReserved);
  CHECK(rows(map) == std::vector<Row>{{0x1000, 0x3000, Kind::kUsable},
                                      {0x3000, 0xfffffffffffff000, Kind::kReserved}});
  map.add(Hpa(~0ULL), ~0ULL, Kind::kDefective);  // within the last page: nothing to keep
  CHECK(map.size() == 2);
}

TEST_CASE("reserve takes only what is usable") {
  MemoryMap map;
  map.add(Hpa(0x1000), 0x3000, Kind::kUsable);
  map.add(Hpa(0x6000), 0x1000, Kind::kAcpiNvs);
  map.reserve(Hpa(0x2001), Hpa(0x6fff));
  CHECK(rows(map) == std::vector<Row>{{0x1000, 0x2000, Kind::kUsable},
                                      {0x2000, 0x4000, Kind::kTaken},
                                      {0x6000, 0x7000, Kind::kAcpiNvs}});
  CHECK(map.is_all(Hpa(0x2000), Hpa(0x4000), Kind::kTaken));
  CHECK_FALSE(map.is_all(Hpa(0x1fff), Hpa(0x4000), Kind::kTaken));
  CHECK_FALSE(map.is_all(Hpa(0x3000), Hpa(0x4001), Kind::kTaken));
  map.reserve(Hpa(0x3000), Hpa(0x1000));  // backwards: nothing
  CHECK(map.bytes(Kind::kUsable) == 0x1000);
}

TEST_CASE("take answers the highest fitting place and keeps it") {
  MemoryMap map;
  map.add(Hpa(0x1000), 0x9e000, Kind::kUsable);
  map.add(Hpa(0x100000), 0x500000, Kind::kUsable);
  CHECK(map.take(0x1000) == Hpa(0x5ff000));
  CHECK(map.take(1) == Hpa(0x5fe000));
  CHECK(map.take(0x200000, 0x200000) == Hpa(0x200000));
  CHECK(map.take(0x1000, 0x1000, Hpa(0x100000)) == Hpa(0x9e000));
  CHECK(map.take(0x1000, 0x1000, Hpa(0x1fff)) == std::nullopt);
  CHECK(map.take(0x1000, 1, Hpa(0x2fff)) == Hpa(0x1000));
  CHECK(map.take(0) == std::nullopt);
  CHECK(map.take(0x1000, 0) == std::nullopt);
  CHECK(map.take(0x1000, 0x3000) == std::nullopt);
  CHECK(map.take(~0ULL) == std::nullopt);
  CHECK(map.take(0x400000) == std::nullopt);
  std::uint64_t seen = 0;
  map.for_each_usable([&](const MemoryRange& r) { seen += r.size(); });
  CHECK(seen == map.bytes(Kind::kUsable));
}

TEST_CASE("A full map gives memory up rather than a restriction") {
  MemoryMap map;
  map.add(Hpa(0), 0x4000'0000, Kind::kUsable);
  for (std::uint64_t i = 0; i < 400; ++i) {
    map.add(Hpa(0x10000 * (i + 1)), 0x1000, Kind::kReserved);
  }
  CHECK(map.size() == MemoryMap::kMaxRanges);
  CHECK(map.bytes_lost() > 0);
  const auto usable_at = [&](std::uint64_t at) {
    return map.is_all(Hpa(at), Hpa(at + 0x1000), Kind::kUsable);
  };
  for (std::uint64_t i = 0; i < 400; ++i) {
    CHECK_FALSE(usable_at(0x10000 * (i + 1)));
  }
  CHECK(usable_at(0));
  const std::uint64_t before = map.bytes(Kind::kUsable);
  map.add(Hpa(0), 0x4000'0000, Kind::kUsable);  // must not undo what found no room
  CHECK(map.bytes(Kind::kUsable) == before);
}

TEST_CASE("The map of a BIOS machine") {
  const auto info = std::make_unique<BootInfo>();
  const auto map = std::make_unique<MemoryMap>();
  const RawMemoryMapEntry entries[] = {
      {Hpa(0), 0x9fc00, 1},          {Hpa(0x9fc00), 0x400, 2},     {Hpa(0xe8000), 0x18000, 2},
      {Hpa(0x100000), 0x3ef0000, 1}, {Hpa(0x3ff0000), 0x10000, 3}, {Hpa(0xfffc0000), 0x40000, 2},
      {Hpa(0x2000), 0x1000, 77},
  };
  CHECK_FALSE(build_memory_map(*info, *map));
  for (const auto& e : entries) {
    REQUIRE(info->memory_map.push_back(e));
  }
  REQUIRE(build_memory_map(*info, *map));
  CHECK(map->is_all(Hpa(0x2000), Hpa(0x3000), Kind::kReserved));
  CHECK(map->is_all(Hpa(0x3000), Hpa(0x9f000), Kind::kUsable));
  CHECK(map->is_all(Hpa(0xfffc0000), Hpa(0x100000000), Kind::kReserved));
  CHECK(map->top_of_ram() == Hpa(0x4000000));
}

TEST_CASE("EFI memory is usable by its type and attributes") {
  constexpr std::uint64_t kWb = 0xf;
  for (const std::uint32_t type : {1U, 2U, 3U, 4U, 7U}) {
    CHECK(kind_of_efi(type, kWb) == Kind::kUsable);
    CHECK(kind_of_efi(type, kWb | (1ULL << 63)) == Kind::kReserved);
    CHECK(kind_of_efi(type, 1) == Kind::kReserved);
  }
  for (const std::uint32_t type : {0U, 5U, 6U, 11U, 12U, 13U, 14U, 0x80000000U}) {
    CHECK(kind_of_efi(type, kWb) == Kind::kReserved);
  }
  CHECK(kind_of_efi(8, kWb) == Kind::kDefective);
  CHECK(kind_of_efi(9, kWb) == Kind::kAcpiReclaimable);
  CHECK(kind_of_efi(10, kWb) == Kind::kAcpiNvs);

  test::ByteBuilder b;
  const auto descriptor = [&](std::uint32_t type, std::uint64_t at, std::uint64_t pages) {
    b.u32(type).u32(0).u64(at).u64(0).u64(pages).u64(kWb).u64(0);  // 48 bytes, as firmware does
  };
  descriptor(7, 0x1000, 0x9f);
  descriptor(7, 0x100000, 0x700);
  descriptor(6, 0x200000, 1);
  descriptor(0, 0x300000, ~0ULL);  // as many pages as do not fit
  b.zeros(20);                     // a rest that is no descriptor
  const auto info = std::make_unique<BootInfo>();
  info->efi_memory_map = EfiMemoryMap{b.view(), 48};
  MemoryMap map;
  REQUIRE(build_memory_map(*info, map));
  CHECK(map.is_all(Hpa(0x1000), Hpa(0xa0000), Kind::kUsable));
  CHECK(map.is_all(Hpa(0x201000), Hpa(0x300000), Kind::kUsable));
  CHECK(map.is_all(Hpa(0x200000), Hpa(0x201000), Kind::kReserved));
  CHECK(map.is_all(Hpa(0x300000), Hpa(0x800000), Kind::kReserved));

  // With the loader's map there too, the EFI map only restricts.
  REQUIRE(info->memory_map.push_back({Hpa(0x100000), 0x110000, 1}));
  MemoryMap both;
  REQUIRE(build_memory_map(*info, both));
  CHECK(both.bytes(Kind::kUsable) == 0x110000 - 0x1000);
}
