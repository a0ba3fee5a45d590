#include "mmu/guest_walk.hpp"

#include <catch2/catch.hpp>

#include "tests/support/table_builder.hpp"

using namespace archelon;
using namespace archelon::mmu;
namespace cr0 = archelon::arch::cr0;
namespace cr4 = archelon::arch::cr4;
namespace efer = archelon::arch::efer;

namespace {

constexpr LinearAccess kRead{};
constexpr LinearAccess kWrite{.write = true};
constexpr LinearAccess kFetch{.fetch = true};
constexpr LinearAccess kUserRead{.user = true};
constexpr LinearAccess kUserWrite{.write = true, .user = true};
constexpr LinearAccess kUserFetch{.fetch = true, .user = true};

struct Guest {
  test::FakeMemory<Gpa1> memory;
  test::TableBuilder<Gpa1> tables{memory, Gpa1(0x10000)};
  PagingState state{.cr0 = cr0::kPg | cr0::kPe | cr0::kWp,
                    .cr3 = tables.root().value(),
                    .cr4 = cr4::kPae,
                    .efer = efer::kLme | efer::kLma | efer::kNxe,
                    .physical_bits = 40};

  auto walk(std::uint64_t linear, const LinearAccess& access) {
    return guest_walk<Gpa1>(memory, state, Gva(linear), access);
  }
  // The error code of the #PF, or ~0 where there is none.
  std::uint32_t error(std::uint64_t linear, const LinearAccess& access) {
    const auto result = walk(linear, access);
    return result || result.error().kind != GuestFaultKind::kPageFault ? ~0U
                                                                       : result.error().error_code;
  }
};

}  // namespace

TEST_CASE("without paging linear addresses are physical, modulo 4 GiB") {
  Guest g;
  g.state.cr0 = cr0::kPe;
  CHECK(g.walk(0x1234'5678, kWrite)->address == Gpa1(0x1234'5678));
  CHECK(g.walk(0x1'0000'0010, kRead)->address == Gpa1(0x10));
}

TEST_CASE("4-level paging translates pages of each size") {
  Guest g;
  g.tables.put(0x7fff'0000'1000, 1, 0x0abc'd000 | 0x07);
  g.tables.put(0x4020'0000, 2, 0x60'0000 | 0x87);
  g.tables.put(0x8000'0000, 3, 0xff'c000'0000 | 0x87);
  CHECK(g.walk(0x7fff'0000'1fff, kRead)->address == Gpa1(0x0abc'dfff));
  CHECK(g.walk(0x403f'fff8, kRead)->address == Gpa1(0x7f'fff8));
  CHECK(g.walk(0x403f'fff8, kRead)->page_bytes == 0x20'0000);
  CHECK(g.walk(0xbfff'ffff, kRead)->address == Gpa1(0xff'ffff'ffff));
  g.state.pages_1g = false;
  CHECK(g.error(0x8000'0000, kRead) == 0x9);
}

TEST_CASE("5-level paging uses bits 56:48") {
  Guest g;
  test::TableBuilder<Gpa1> tables(g.memory, Gpa1(0x80000), 5);
  g.state.cr3 = tables.root().value();
  g.state.cr4 |= cr4::kLa57;
  tables.put(bit(56) | 0x1000, 1, 0x7000 | 0x3);
  CHECK(g.walk(bit(56) | 0x1008, kRead)->address == Gpa1(0x7008));
  CHECK(g.error(0x1008, kRead) == 0);
}

TEST_CASE("#PF error codes tell the access and the cause") {
  Guest g;
  CHECK(g.error(0x1000, kRead) == 0x0);
  CHECK(g.error(0x1000, kUserWrite) == 0x6);
  CHECK(g.error(0x1000, kUserFetch) == 0x14);
  g.tables.put(0x1000, 1, 0x7000 | 0x1);  // supervisor, read-only
  CHECK(g.walk(0x1000, kRead).ok());
  CHECK(g.error(0x1000, kWrite) == 0x3);
  CHECK(g.error(0x1000, kUserRead) == 0x5);
  CHECK(g.error(0x1000, kUserWrite) == 0x7);
  g.tables.put(0x2000, 1, 0x7000 | 0x7 | bit(63));
  CHECK(g.walk(0x2000, kUserRead).ok());
  CHECK(g.error(0x2000, kUserFetch) == 0x15);
  CHECK(g.error(0x2000, kFetch) == 0x11);
  g.tables.put(0x3000, 1, 0x7000 | 0x7 | bit(40));
  CHECK(g.error(0x3000, kUserWrite) == 0xf);
  // Without NX and SMEP a fetch is not told, and bit 63 is reserved.
  g.state.efer &= ~efer::kNxe;
  CHECK(g.error(0x2000, kFetch) == 0x9);
  CHECK(g.error(0x4000, kFetch) == 0x0);
  g.state.cr4 |= cr4::kSmep;
  CHECK(g.error(0x4000, kFetch) == 0x10);
}

TEST_CASE("reserved bits at every level") {
  Guest g;
  g.tables.put(0x4000'0000, 1, 0x7007);
  const auto with = [&](unsigned level, std::uint64_t bits) {
    const std::uint64_t before = g.tables.get(0x4000'0000, level);
    g.tables.put(0x4000'0000, level, before | bits);
    const auto error = g.error(0x4000'0000, kRead);
    g.tables.put(0x4000'0000, level, before);
    return error;
  };
  CHECK(with(4, 0x80) == 0x9);
  CHECK(with(4, bit(40)) == 0x9);
  CHECK(with(3, bit(51)) == 0x9);
  CHECK(with(2, bit(52)) == ~0U);
  CHECK(with(1, bit_mask(62, 52)) == ~0U);
  g.tables.put(0x8000'0000, 2, 0x20'0087 | bit(13));
  CHECK(g.error(0x8000'0000, kRead) == 0x9);
  g.tables.put(0x8000'0000, 2, 0x20'0087 | bit(12));  // PAT
  CHECK(g.walk(0x8000'0000, kRead)->address == Gpa1(0x20'0000));
  g.tables.put(0xc000'0000, 3, 0x4000'0087 | bit(29));
  CHECK(g.error(0xc000'0000, kRead) == 0x9);
}

TEST_CASE("a reserved bit above hides a missing right, an absent entry hides both") {
  Guest g;
  g.tables.put(0x1000, 1, 0x7001);
  g.tables.put(0x1000, 2, g.tables.get(0x1000, 2) | bit(45));
  CHECK(g.error(0x1000, kUserWrite) == 0xf);
  g.tables.put(0x1000, 2, g.tables.get(0x1000, 2) & ~std::uint64_t{1});
  CHECK(g.error(0x1000, kUserWrite) == 0x6);
}

TEST_CASE("supervisors: WP, SMEP and SMAP") {
  Guest g;
  g.tables.put(0x1000, 1, 0x7000 | 0x5);  // user, read-only
  CHECK(g.error(0x1000, kWrite) == 0x3);
  g.state.cr0 &= ~cr0::kWp;
  CHECK(g.walk(0x1000, kWrite).ok());
  CHECK(g.error(0x1000, kUserWrite) == 0x7);
  CHECK(g.walk(0x1000, kFetch).ok());
  g.state.cr4 |= cr4::kSmep | cr4::kSmap;
  CHECK(g.error(0x1000, kFetch) == 0x11);
  CHECK(g.error(0x1000, kRead) == 0x1);
  CHECK(g.error(0x1000, kWrite) == 0x3);
  CHECK(g.walk(0x1000, kUserRead).ok());
  g.state.rflags = arch::rflags::kAc;
  CHECK(g.walk(0x1000, kRead).ok());
  CHECK(g.walk(0x1000, kWrite).ok());
  CHECK(g.error(0x1000, {.implicit = true}) == 0x1);
  CHECK(g.error(0x1000, kFetch) == 0x11);
}

TEST_CASE("rights are over all levels") {
  Guest g;
  g.tables.put(0x1000, 1, 0x7007);
  g.tables.put(0x1000, 3, g.tables.get(0x1000, 3) & ~std::uint64_t{4});
  g.tables.put(0x1000, 2, (g.tables.get(0x1000, 2) & ~std::uint64_t{2}) | bit(63));
  const auto page = g.walk(0x1000, kRead);
  CHECK_FALSE(page->user);
  CHECK_FALSE(page->writable);
  CHECK(page->no_execute);
}

TEST_CASE("accessed and dirty flags are set by what succeeds") {
  Guest g;
  g.tables.put(0x1000, 1, 0x7001);
  CHECK(g.error(0x1000, kWrite) == 0x3);
  CHECK(g.tables.get(0x1000, 1) == 0x7001);
  CHECK(g.walk(0x1000, kRead).ok());
  CHECK(g.tables.get(0x1000, 1) == 0x7021);
  CHECK((g.tables.get(0x1000, 4) & 0x60) == 0x20);
  g.tables.put(0x1000, 1, 0x7003);
  CHECK(g.walk(0x1000, kWrite).ok());
  CHECK(g.tables.get(0x1000, 1) == 0x7063);
  CHECK((g.tables.get(0x1000, 2) & 0x60) == 0x20);
}

TEST_CASE("32-bit paging: 4K pages, 4M pages, PSE-36") {
  test::FakeMemory<Gpa1> memory;
  memory.add(Gpa1(0x10000), 0x3000);
  PagingState state{.cr0 = cr0::kPg | cr0::kPe, .cr3 = 0x10018, .physical_bits = 36};
  const auto walk = [&](std::uint64_t linear, const LinearAccess& access) {
    return guest_walk<Gpa1>(memory, state, Gva(linear), access);
  };
  const auto put = [&](std::uint64_t slot, std::uint32_t entry) {
    REQUIRE(write_value(memory, Gpa1(slot), entry));
  };
  put(0x10000 + 4 * 0x3ff, 0x11000 | 0x7);
  put(0x11000 + 4 * 0x3fe, 0xfedc'b007);
  put(0x10000 + 4 * 1, 0x0040'0087 | 0xf << 13);
  put(0x10000 + 4 * 2, 0x0040'0087 | 1 << 17);
  put(0x10000 + 4 * 3, 0x0040'0087 | 1 << 21);

  CHECK(walk(0xffff'e123, kWrite)->address == Gpa1(0xfedc'b123));
  CHECK(*read_value<std::uint32_t>(memory, Gpa1(0x11000 + 4 * 0x3fe)) == 0xfedc'b067);
  CHECK(*read_value<std::uint32_t>(memory, Gpa1(0x10000 + 4 * 0x3ff)) == (0x11000 | 0x27));
  // Without CR4.PSE bit 7 is ignored: the entry points to a table that is not there.
  CHECK(walk(0x0040'0000, kRead).error().kind == GuestFaultKind::kUnreadable);
  state.cr4 = cr4::kPse;
  CHECK(walk(0x0055'5555, kRead)->address == Gpa1(0xf'0055'5555));
  CHECK(walk(0x0055'5555, kRead)->page_bytes == 0x40'0000);
  CHECK(walk(0x0080'0000, kRead).error().error_code == 0x9);  // address bit 36
  CHECK(walk(0x00c0'0000, kRead).error().error_code == 0x9);  // bit 21
  state.physical_bits = 46;
  CHECK(walk(0x0080'0000, kRead)->address == Gpa1(0x10'0040'0000));
  put(0x10000 + 4 * 4, 0x0040'0087 | 1 << 20);
  CHECK(walk(0x0100'0000, kRead)->address == Gpa1(0x80'0040'0000));
  CHECK(walk(0x00c0'0000, kRead).error().error_code == 0x9);
}

TEST_CASE("PAE paging starts at the given PDPTEs and reserves more") {
  test::FakeMemory<Gpa1> memory;
  memory.add(Gpa1(0x10000), 0x2000);
  PagingState state{.cr0 = cr0::kPg | cr0::kPe,
                    .cr4 = cr4::kPae,
                    .efer = efer::kNxe,
                    .pdptes = {0, 0, 0, 0x10001},
                    .physical_bits = 40};
  const auto walk = [&](std::uint64_t linear, const LinearAccess& access) {
    return guest_walk<Gpa1>(memory, state, Gva(linear), access);
  };
  memory.poke(Gpa1(0x10000), 0x11007);
  memory.poke(Gpa1(0x11008), 0xab'cdef'0007 | bit(63));
  memory.poke(Gpa1(0x10008), 0x12'0020'0087);
  memory.poke(Gpa1(0x10010), 0x0020'0087 | bit(52));
  CHECK(walk(0xc000'1234, kUserWrite)->address == Gpa1(0xab'cdef'0234));
  CHECK(walk(0xc000'1234, kUserFetch).error().error_code == 0x15);
  CHECK(walk(0xc020'0042, kRead)->address == Gpa1(0x12'0020'0042));
  CHECK(walk(0xc040'0000, kRead).error().error_code == 0x9);
  CHECK(walk(0x0000'0000, kUserRead).error().error_code == 0x4);
}

TEST_CASE("tables that are not memory are reported with their address") {
  Guest g;
  g.tables.put(0x1000, 4, 0x7000'0007);
  const auto result = g.walk(0x1000, kRead);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().kind == GuestFaultKind::kUnreadable);
  CHECK(result.error().entry == Gpa1(0x7000'0000));
}
