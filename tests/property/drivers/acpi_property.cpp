#include <catch2/catch.hpp>
#include <memory>
#include <random>

#include "drivers/acpi/acpi.hpp"
#include "tests/support/byte_builder.hpp"
#include "tests/support/sparse_memory.hpp"

using namespace archelon;
using namespace archelon::drivers::acpi;
using archelon::test::ByteBuilder;

// Memory that fails the test when it is read past the table under test.
struct OneTable {
  Hpa base;
  std::vector<std::byte> bytes;

  bool read(Hpa at, std::span<std::byte> out) {
    REQUIRE(at >= base);
    REQUIRE(at - base + out.size() <= bytes.size());
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at - base), out.size(), out.begin());
    return true;
  }
};

TEST_CASE("No contents make a table's reader leave the table") {
  std::mt19937 random(3);
  const auto info = std::make_unique<Info>();
  for (int round = 0; round < 20000; ++round) {
    const std::size_t size = kHeaderSize + random() % 300;
    OneTable memory{Hpa(0x1000), std::vector<std::byte>(size)};
    for (std::byte& b : memory.bytes) {
      // Mostly small numbers, so that entry types and lengths are often plausible.
      b = static_cast<std::byte>(random() % 4 == 0 ? random() : random() % 18);
    }
    if (random() % 2 == 0 && size > kHeaderSize + 12) {
      const std::size_t at = kHeaderSize + random() % (size - kHeaderSize - 8);
      std::memcpy(memory.bytes.data() + at, "\x08_S5_\x12\x06", 7);
    }
    const Table table{memory.base, static_cast<std::uint32_t>(size), signature("TEST"), 1};
    const auto report = [](const Problem&) {};
    *info = Info{};
    read_madt(memory, table, info->madt, report);
    read_fadt(memory, table, info->fadt, report);
    static_cast<void>(find_s5(memory, table));
    read_mcfg(memory, table, *info);
    read_hpet(memory, table, *info);
    for (const EcamRange& range : info->ecam) {
      REQUIRE(range.first_bus <= range.last_bus);
    }
  }
}
