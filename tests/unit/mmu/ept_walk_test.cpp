#include "mmu/ept_walk.hpp"

#include <catch2/catch.hpp>

#include "mmu/ept_qualification.hpp"
#include "tests/support/table_builder.hpp"

using namespace archelon;
using namespace archelon::mmu;

namespace {

constexpr ept::Features kFeatures{
    .execute_only = true, .pages_1g = true, .accessed_dirty = true, .physical_bits = 40};

struct Machine {
  test::FakeMemory<Gpa1> memory;
  test::TableBuilder<Gpa1> tables{memory, Gpa1(0x10000)};
  EptRoot<Gpa1> root{tables.root(), 4, false};

  EptWalk<Gpa1> walk(std::uint64_t input, Rights needed) {
    return ept_walk(memory, root, input, needed, kFeatures);
  }
};

// A memory that another CPU changes between the walk's read and its update.
struct RacingMemory : test::FakeMemory<Gpa1> {
  int races = 0;
  bool compare_exchange(Gpa1 address, std::uint64_t expected, std::uint64_t desired) {
    if (races > 0) {
      --races;
      poke(address, peek(address) ^ bit(52));
    }
    if (peek(address) != expected) {
      return false;
    }
    poke(address, desired);
    return true;
  }
};

}  // namespace

TEST_CASE("a walk translates through pages of each size") {
  Machine m;
  m.tables.put(0x1234'5678, 1, 0x0abc'd000 | 0x37);
  m.tables.put(0x4020'0000, 2, 0x1'0060'0000 | 0xb1);
  m.tables.put(0x8000'0000, 3, 0x2'4000'0000 | 0xf7);

  auto w = m.walk(0x1234'5678, Rights::kReadWrite);
  REQUIRE(w.translated());
  CHECK(w.address == Gpa1(0x0abc'd678));
  CHECK(w.level == 1);
  CHECK(w.type() == MemoryType::kWriteBack);
  CHECK_FALSE(w.ignore_pat());
  CHECK(w.leaf().address == m.tables.slot(0x1234'5678, 1));

  w = m.walk(0x403f'fff8, Rights::kRead);
  REQUIRE(w.translated());
  CHECK(w.address == Gpa1(0x1'007f'fff8));
  CHECK(w.page_bytes() == 2 << 20);
  CHECK(w.rights == Rights::kRead);

  w = m.walk(0xbfff'f123, Rights::kExecute);
  REQUIRE(w.translated());
  CHECK(w.address == Gpa1(0x2'7fff'f123));
  CHECK(w.level == 3);
  CHECK(w.ignore_pat());
}

TEST_CASE(
    "an entry with nothing but rights is a page at address 0 in a page table, a table above") {
  Machine m;
  m.tables.put(0x1000, 1, 7);
  const auto page = m.walk(0x1008, Rights::kWrite);
  CHECK(page.translated());
  CHECK(page.address == Gpa1(8));
  CHECK(page.type() == MemoryType::kUncacheable);
  m.memory.add(Gpa1(0), kPageSize);
  m.memory.poke(Gpa1(0x10), 0x9037);
  m.tables.put(0x4000'0000, 2, 7);
  CHECK(m.walk(0x4000'2000, Rights::kRead).address == Gpa1(0x9000));
}

TEST_CASE("rights are those of all levels together") {
  Machine m;
  m.tables.put(0x1000, 1, 0x9037);
  const Gpa1 pde = m.tables.slot(0x1000, 2);
  m.memory.poke(pde, (m.memory.peek(pde) & ~std::uint64_t{7}) | 5);
  const Gpa1 pdpte = m.tables.slot(0x1000, 3);
  m.memory.poke(pdpte, (m.memory.peek(pdpte) & ~std::uint64_t{7}) | 3);

  CHECK(m.walk(0x1000, Rights::kRead).translated());
  const auto w = m.walk(0x1000, Rights::kWrite);
  CHECK(w.outcome == WalkOutcome::kViolation);
  CHECK(w.rights == Rights::kRead);
  CHECK(w.level == 1);
}

TEST_CASE("a missing entry is a violation at its level, without rights") {
  Machine m;
  CHECK(m.walk(0x1000, Rights::kRead).level == 4);
  m.tables.put(0x1000, 1, 0x9037);
  const auto w = m.walk(0x2000, Rights::kRead);
  CHECK(w.outcome == WalkOutcome::kViolation);
  CHECK(w.level == 1);
  CHECK(w.rights.empty());
  CHECK(m.walk(bit(48), Rights::kRead).outcome == WalkOutcome::kViolation);
}

TEST_CASE("a misconfiguration below a missing right wins, one below a missing entry is not seen") {
  Machine m;
  m.tables.put(0x1000, 1, 0x9000 | 0x2);
  const Gpa1 pde = m.tables.slot(0x1000, 2);
  m.memory.poke(pde, (m.memory.peek(pde) & ~std::uint64_t{7}) | 1);
  auto w = m.walk(0x1000, Rights::kExecute);
  CHECK(w.outcome == WalkOutcome::kMisconfiguration);
  CHECK(w.level == 1);
  m.memory.poke(pde, m.memory.peek(pde) & ~std::uint64_t{7});
  CHECK(m.walk(0x1000, Rights::kRead).outcome == WalkOutcome::kViolation);
}

TEST_CASE("tables outside of memory read as all ones") {
  Machine m;
  m.tables.put(0x4000'0000, 3, 0x7'0000'0000 | 7);
  const auto w = m.walk(0x4000'0000, Rights::kRead);
  CHECK(w.outcome == WalkOutcome::kMisconfiguration);
  CHECK(w.level == 2);
}

TEST_CASE("accessed and dirty flags are set as the access demands, only when enabled and allowed") {
  Machine m;
  m.tables.put(0x1000, 1, 0x9000 | 0x33);
  CHECK(m.walk(0x1000, Rights::kRead).translated());
  CHECK(m.tables.get(0x1000, 1) == 0x9033);

  m.root.accessed_dirty = true;
  CHECK(m.walk(0x1000, Rights::kExecute).outcome == WalkOutcome::kViolation);
  CHECK(m.tables.get(0x1000, 1) == 0x9033);
  CHECK(m.tables.get(0x1000, 4) == 0x11007);

  auto w = m.walk(0x1000, Rights::kRead);
  CHECK(w.translated());
  CHECK_FALSE(w.dirtied);
  CHECK(m.tables.get(0x1000, 1) == 0x9133);
  for (unsigned level = 2; level <= 4; ++level) {
    CHECK((m.tables.get(0x1000, level) & 0xfff) == 0x107);
  }

  w = m.walk(0x1000, Rights::kWrite);
  CHECK(w.dirtied);
  CHECK(w.leaf().entry == 0x9333);
  CHECK(m.tables.get(0x1000, 1) == 0x9333);
  CHECK((m.tables.get(0x1000, 2) & 0xfff) == 0x107);  // dirty is for leaves
  CHECK_FALSE(m.walk(0x1000, Rights::kWrite).dirtied);
}

TEST_CASE("a walk whose entries change under it starts anew, and gives up in the end") {
  RacingMemory memory;
  test::TableBuilder<Gpa1> tables(memory, Gpa1(0x10000));
  const EptRoot<Gpa1> root{tables.root(), 4, true};
  tables.put(0x1000, 1, 0x9037);
  memory.races = 2;
  CHECK(ept_walk(memory, root, 0x1000, Rights::kRead, kFeatures).translated());
  CHECK((tables.get(0x1000, 1) & ept::kAccessed) != 0);
  tables.put(0x2000, 1, 0xa037);
  memory.races = 1000;
  CHECK(ept_walk(memory, root, 0x2000, Rights::kRead, kFeatures).outcome ==
        WalkOutcome::kContended);
}

TEST_CASE("five-level tables translate 57 bits") {
  test::FakeMemory<Gpa1> memory;
  test::TableBuilder<Gpa1> tables(memory, Gpa1(0x10000), 5);
  tables.put(bit(56) | 0x1000, 1, 0x9037);
  auto features = kFeatures;
  features.five_levels = true;
  const auto root = root_of_pointer<Gpa1>(tables.root().value() | 0x26);
  CHECK(root.levels == 5);
  CHECK(ept_walk(memory, root, bit(56) | 0x1010, Rights::kRead, features).address == Gpa1(0x9010));
  CHECK_FALSE(ept_walk(memory, root, 0x1010, Rights::kRead, features).translated());
}

TEST_CASE("guest page walks count as writes once flags are enabled") {
  CHECK(needed_rights(Rights::kRead, true, true) == Rights::kReadWrite);
  CHECK(needed_rights(Rights::kRead, true, false) == Rights::kRead);
  CHECK(needed_rights(Rights::kExecute, false, true) == Rights::kExecute);
}

TEST_CASE("exit qualifications of violations") {
  // A data write by software to a readable, executable page.
  CHECK(make_ept_qualification({.access = Rights::kWrite,
                                .rights = Rights::kRead | Rights::kExecute,
                                .linear_valid = true,
                                .final_access = true}) == 0x1aa);
  // The page walker, flags enabled, on a page that is not there.
  CHECK(make_ept_qualification({.access = Rights::kReadWrite, .linear_valid = true}) == 0x83);
  // MOV to CR3 loading PDPTEs: no linear address, so bit 8 says nothing.
  CHECK(make_ept_qualification({.access = Rights::kRead, .final_access = true}) == 0x1);
  // A fetch with everything that can be told.
  CHECK(make_ept_qualification({.access = Rights::kExecuteUser,
                                .rights = Rights::kRead | Rights::kExecuteUser,
                                .mode_based = true,
                                .linear_valid = true,
                                .final_access = true,
                                .nmi_unblocking = true,
                                .advanced = true,
                                .user_page = true,
                                .nx_page = true}) == 0x1bcc);
  // Advanced information is for final accesses only.
  CHECK(make_ept_qualification(
            {.access = Rights::kRead, .linear_valid = true, .advanced = true, .user_page = true}) ==
        0x81);
}

TEST_CASE("the access is read back from a qualification") {
  CHECK(access_of_qualification(0x1aa, false) == Rights::kWrite);
  CHECK(access_of_qualification(0x184, false) == Rights::kExecute);
  CHECK(access_of_qualification(0x184, true) == Rights::kExecuteSupervisor);
  CHECK(access_of_qualification(0x384, true) == Rights::kExecuteUser);
  CHECK(is_page_walk_qualification(0x83));
  CHECK_FALSE(is_page_walk_qualification(0x183));
  CHECK_FALSE(is_page_walk_qualification(0x001));
}
