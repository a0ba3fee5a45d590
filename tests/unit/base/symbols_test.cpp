#include "hv/base/symbols.hpp"

#include <catch2/catch.hpp>

#include "tests/support/byte_builder.hpp"

namespace archelon {
namespace {

// Functions at 0x10 (size 0x20), 0x40 (size 8), 0x48 (size 4).
test::ByteBuilder three_functions() {
  test::ByteBuilder table;
  table.u32(3);
  table.u32(0x10).u32(0x20).u32(40);
  table.u32(0x40).u32(8).u32(46);
  table.u32(0x48).u32(4).u32(51);
  table.text("first").u8(0).text("next").u8(0).text("last").u8(0);
  return table;
}

TEST_CASE("A code offset is named by the function that holds it") {
  const auto table = three_functions();
  const auto name_at = [&](std::uint32_t offset) -> std::string {
    const auto place = find_symbol(table.view(), offset);
    return place ? std::string(place->name) + "+" + std::to_string(place->offset) : "none";
  };
  CHECK(name_at(0x0f) == "none");
  CHECK(name_at(0x10) == "first+0");
  CHECK(name_at(0x2f) == "first+31");
  CHECK(name_at(0x30) == "none");
  CHECK(name_at(0x47) == "next+7");
  CHECK(name_at(0x48) == "last+0");
  CHECK(name_at(0x4c) == "none");
  CHECK(name_at(0xffffffff) == "none");
}

TEST_CASE("A broken symbol table names nothing") {
  CHECK_FALSE(find_symbol({}, 0x10));
  auto table = three_functions();
  SECTION("more entries than bytes") {
    table.patch<std::uint32_t>(0, 5);
  }
  SECTION("a count that overflows") {
    table.patch<std::uint32_t>(0, 0xffffffff);
  }
  SECTION("a name beyond the end") {
    table.patch<std::uint32_t>(12, 1000);
  }
  SECTION("an unterminated name") {
    table.patch<std::uint32_t>(12, 52);
    table.raw().pop_back();
  }
  CHECK_FALSE(find_symbol(table.view(), 0x10));
}

}  // namespace
}  // namespace archelon
