#include "mmu/guest_memory.hpp"

#include <catch2/catch.hpp>

#include "mmu/nested_memory.hpp"
#include "tests/support/table_builder.hpp"

using namespace archelon;
using namespace archelon::mmu;
namespace arch = archelon::arch;

namespace {

struct Guest {
  test::FakeMemory<Gpa1> memory;
  test::TableBuilder<Gpa1> tables{memory, Gpa1(0x10000)};
  PagingState state{.cr0 = arch::cr0::kPg | arch::cr0::kPe | arch::cr0::kWp,
                    .cr3 = tables.root().value(),
                    .cr4 = arch::cr4::kPae,
                    .efer = arch::efer::kLme | arch::efer::kLma};

  Guest() {
    memory.add(Gpa1(0x7000), 0x1000);
    memory.add(Gpa1(0x9000), 0x1000);
    tables.put(0x1000, 1, 0x7003);
    tables.put(0x2000, 1, 0x9003);
  }
};

}  // namespace

TEST_CASE("guest bytes are copied across pages that are apart") {
  Guest g;
  const std::uint64_t value = 0x1122'3344'5566'7788;
  REQUIRE(
      write_guest<Gpa1>(g.memory, g.state, Gva(0x1ffb), std::as_bytes(std::span(&value, 1)), {}));
  CHECK(g.memory.peek(Gpa1(0x7ff8)) == 0x4455'6677'8800'0000);
  CHECK(g.memory.peek(Gpa1(0x9000)) == 0x11'2233);
  std::uint64_t back = 0;
  REQUIRE(read_guest<Gpa1>(g.memory, g.state, Gva(0x1ffb),
                           std::as_writable_bytes(std::span(&back, 1)), {}));
  CHECK(back == value);
}

TEST_CASE("a write whose second page faults writes nothing and tells where") {
  Guest g;
  g.tables.put(0x2000, 1, 0x9001);
  const std::uint64_t value = ~std::uint64_t{0};
  const auto result =
      write_guest<Gpa1>(g.memory, g.state, Gva(0x1ffb), std::as_bytes(std::span(&value, 1)), {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().fault.kind == GuestFaultKind::kPageFault);
  CHECK(result.error().fault.error_code == 0x3);
  CHECK(result.error().address == Gva(0x2000));
  CHECK(g.memory.peek(Gpa1(0x7ff8)) == 0);
}

TEST_CASE("a page that is not memory is no page fault") {
  Guest g;
  g.tables.put(0x2000, 1, 0x5'0003);
  std::uint64_t value = 0;
  const auto result = read_guest<Gpa1>(g.memory, g.state, Gva(0x2010),
                                       std::as_writable_bytes(std::span(&value, 1)), {});
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().fault.kind == GuestFaultKind::kUnreadable);
  CHECK(result.error().fault.entry == Gpa1(0x5'0010));
}

TEST_CASE("outside of long mode addresses wrap at 4 GiB") {
  Guest g;
  g.state.cr0 = arch::cr0::kPe;
  g.state.efer = 0;
  g.memory.add(Gpa1(0xffff'f000), 0x1000);
  g.memory.add(Gpa1(0), 0x1000);
  const std::uint64_t value = 0x0102'0304'0506'0708;
  REQUIRE(write_guest<Gpa1>(g.memory, g.state, Gva(0xffff'fffc),
                            std::as_bytes(std::span(&value, 1)), {}));
  CHECK(g.memory.peek(Gpa1(0)) == 0x0102'0304);
  g.memory.remove(Gpa1(0));
  const auto result = write_guest<Gpa1>(g.memory, g.state, Gva(0xffff'fffc),
                                        std::as_bytes(std::span(&value, 1)), {});
  CHECK(result.error().address == Gva(0));
}

TEST_CASE("L2's memory is reached through both walks, with the flags of both") {
  test::FakeMemory<Gpa1> l1;
  test::TableBuilder<Gpa1> ept12(l1, Gpa1(0x100000));
  constexpr ept::Features kFeatures{.accessed_dirty = true, .physical_bits = 40};
  // L2's tables are built at Gpa2 0x10000.. by hand in L1's memory at 0x210000..
  const auto link = [&](std::uint64_t gpa2, std::uint64_t bits) {
    l1.add(Gpa1(0x20'0000 + gpa2), 0x1000);
    ept12.put(gpa2, 1, (0x20'0000 + gpa2) | bits);
  };
  for (const std::uint64_t table : {0x10000, 0x11000, 0x12000, 0x13000}) {
    link(table, 0x37);
  }
  link(0x7000, 0x33);
  l1.poke(Gpa1(0x21'0000), 0x11007);
  l1.poke(Gpa1(0x21'1000), 0x12007);
  l1.poke(Gpa1(0x21'2000), 0x13007);
  l1.poke(Gpa1(0x21'3008), 0x07007);
  l1.poke(Gpa1(0x20'7120), 0xfeed);
  const PagingState state{.cr0 = arch::cr0::kPg | arch::cr0::kPe,
                          .cr3 = 0x10000,
                          .cr4 = arch::cr4::kPae,
                          .efer = arch::efer::kLme | arch::efer::kLma};
  const auto read = [&](bool flags, std::uint64_t& value) {
    NestedMemory memory(l1, EptRoot<Gpa1>{ept12.root(), 4, flags}, kFeatures);
    const auto result = read_guest<Gpa2>(memory, state, Gva(0x1120),
                                         std::as_writable_bytes(std::span(&value, 1)), {});
    return std::pair(result.ok(), memory.failure());
  };
  std::uint64_t value = 0;
  CHECK(read(true, value).first);
  CHECK(value == 0xfeed);
  CHECK((l1.peek(Gpa1(0x21'3008)) & 0x60) == 0x20);
  CHECK((ept12.get(0x7000, 1) & 0x300) == 0x100);
  CHECK((ept12.get(0x13000, 1) & 0x300) == 0x300);  // the page walk counts as a write

  ept12.put(0x13000, 1, 0x21'3000 | 0x31);
  CHECK(read(false, value).first);
  const auto [ok, failure] = read(true, value);
  CHECK_FALSE(ok);
  REQUIRE(failure.has_value());
  CHECK(failure->walk.outcome == WalkOutcome::kViolation);
  CHECK(failure->address == Gpa2(0x13008));
  CHECK(failure->guest_page_walk);
  CHECK(failure->access == Rights::kReadWrite);
  CHECK(failure->walk.rights == Rights::kRead);

  ept12.put(0x7000, 1, 0x7000'0000 | 0x33);
  const auto outside = read(false, value);
  CHECK_FALSE(outside.first);
  CHECK(outside.second->walk.translated());
  CHECK(outside.second->walk.address == Gpa1(0x7000'0120));
}
