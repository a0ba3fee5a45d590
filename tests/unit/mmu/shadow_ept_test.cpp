#include "mmu/shadow_ept.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "tests/support/table_builder.hpp"

using namespace archelon;
using namespace archelon::mmu;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr ept::Features kFeatures{
    .execute_only = true, .pages_1g = true, .accessed_dirty = true, .physical_bits = 40};

// EPT01 as a function: L1's RAM is 0..4 GiB, moved up by 64 GiB, in pages of one level, but for
// single pages that are absent or read-only.
struct FakeBacking {
  unsigned level = 2;
  std::map<std::uint64_t, Rights> special;

  [[nodiscard]] std::optional<Stage<Hpa>> translate(Gpa1 address) const {
    Stage<Hpa> page{.address = Hpa(address.value() + (std::uint64_t{64} << 30)),
                    .level = level,
                    .rights = Rights::kAll};
    if (const auto it = special.find(address.page().value()); it != special.end()) {
      page.level = 1;
      page.rights = it->second;
    }
    if (page.rights.empty() || address.value() >= std::uint64_t{4} << 30) {
      return std::nullopt;
    }
    return page;
  }
};

struct Vm {
  static constexpr Hpa kArena{0x100'0000};

  explicit Vm(unsigned tables = 64, unsigned prefill = 1, unsigned roots = 2,
              const ept::Features& features = kFeatures)
      : info(tables),
        shadow((host.add(kArena, 2 * tables * kPageSize), l1), host, backing, kArena, info,
               {.guest = features, .host = features, .roots = roots, .prefill = prefill}) {}

  // What the CPU would do with EPT02.
  EptWalk<Hpa> look(std::uint64_t pointer, std::uint64_t gpa2, Rights needed = Rights::kNone) {
    return ept_look(host, root_of_pointer<Hpa>(pointer), gpa2, needed, kFeatures);
  }
  ViolationResult fault(
      ShadowEpt<test::FakeMemory<Gpa1>, test::FakeMemory<Hpa>, FakeBacking>::RootId root,
      std::uint64_t gpa2, Rights access, bool page_walk = false) {
    return shadow.handle_violation(root, Gpa2(gpa2), access, page_walk);
  }

  test::FakeMemory<Gpa1> l1;
  test::FakeMemory<Hpa> host;
  FakeBacking backing;
  std::vector<ShadowTable> info;
  ShadowEpt<test::FakeMemory<Gpa1>, test::FakeMemory<Hpa>, FakeBacking> shadow;
  test::TableBuilder<Gpa1> ept12{l1, Gpa1(0x10000)};
  std::uint64_t pointer12 = ept12.root().value() | 0x1e;
};

constexpr std::uint64_t kMoved = std::uint64_t{64} << 30;

}  // namespace

TEST_CASE("a violation that EPT12 and EPT01 both allow fills the composition") {
  Vm vm;
  vm.ept12.put(0x1234'5000, 1, 0x0060'7000 | 0x35);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK(binding.flush.kind == FlushKind::kNone);
  CHECK(ept::is_valid_pointer(binding.pointer, kFeatures));
  CHECK_FALSE(vm.look(binding.pointer, 0x1234'5000).translated());

  const auto result = vm.fault(binding.root, 0x1234'5678, Rights::kRead);
  CHECK(result.kind == ViolationKind::kFilled);
  CHECK(result.filled == 1);
  CHECK(result.flush.kind == FlushKind::kNone);
  CHECK(result.gpa1 == Gpa1(0x0060'7678));
  const auto page = vm.look(binding.pointer, 0x1234'5678);
  REQUIRE(page.translated());
  CHECK(page.address == Hpa(kMoved + 0x0060'7678));
  CHECK(page.level == 1);
  CHECK(page.rights == (Rights::kRead | Rights::kExecute));
  CHECK(page.type() == MemoryType::kWriteBack);
}

TEST_CASE("large pages stay large where both sides have them") {
  Vm vm;
  vm.ept12.put(0x4000'0000, 3, 0x8000'0000 | 0xb7);
  vm.ept12.put(0x8020'0000, 2, 0x0060'0000 | 0xb7);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK(vm.fault(binding.root, 0x4123'4567, Rights::kRead).kind == ViolationKind::kFilled);
  CHECK(vm.look(binding.pointer, 0x4123'4567).address == Hpa(kMoved + 0x8123'4567));
  CHECK(vm.look(binding.pointer, 0x4123'4567).level == 2);
  vm.backing.level = 3;
  CHECK(vm.fault(binding.root, 0x8020'0001, Rights::kRead).kind == ViolationKind::kFilled);
  CHECK(vm.look(binding.pointer, 0x803f'ffff).level == 2);
  vm.backing.level = 1;
  vm.ept12.put(0x8040'0000, 2, 0x0080'0000 | 0xb7);
  CHECK(vm.fault(binding.root, 0x8040'1001, Rights::kRead).kind == ViolationKind::kFilled);
  CHECK(vm.look(binding.pointer, 0x8040'1fff).address == Hpa(kMoved + 0x0080'1fff));
  CHECK_FALSE(vm.look(binding.pointer, 0x8040'2000).translated());
}

TEST_CASE("what EPT12 refuses goes to L1 with EPT12's rights") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x31);
  vm.ept12.put(0x2000, 1, 0x8000 | 0x32 | ept::kSuppressVe);
  vm.ept12.put(0x3000, 1, ept::kSuppressVe);
  const auto root = vm.shadow.acquire(vm.pointer12, false)->root;
  auto result = vm.fault(root, 0x1000, Rights::kWrite);
  CHECK(result.kind == ViolationKind::kReflectViolation);
  CHECK(result.rights == Rights::kRead);
  CHECK(result.convertible);
  CHECK(vm.fault(root, 0x2000, Rights::kRead).kind == ViolationKind::kReflectMisconfiguration);
  result = vm.fault(root, 0x3000, Rights::kRead);
  CHECK(result.kind == ViolationKind::kReflectViolation);
  CHECK(result.rights.empty());
  CHECK_FALSE(result.convertible);
  CHECK(vm.shadow.tables_in_use() == 2);  // the root tables
}

TEST_CASE("what only EPT01 refuses is L0's, at L1's address") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0xfee0'0000 | 0x37);
  vm.ept12.put(0x2000, 1, 0x000f'0000 | 0x37);
  vm.backing.special[0xfee0'0000] = Rights::kNone;
  vm.backing.special[0x000f'0000] = Rights::kRead | Rights::kExecute;
  const auto root = vm.shadow.acquire(vm.pointer12, false)->root;
  const auto result = vm.fault(root, 0x1038, Rights::kWrite);
  CHECK(result.kind == ViolationKind::kBacking);
  CHECK(result.gpa1 == Gpa1(0xfee0'0038));
  CHECK(vm.fault(root, 0x2000, Rights::kWrite).kind == ViolationKind::kBacking);
  CHECK(vm.fault(root, 0x2000, Rights::kRead).kind == ViolationKind::kFilled);
}

TEST_CASE("with flags enabled pages become writable when they become dirty") {
  Vm vm;
  vm.pointer12 |= ept::kPointerAccessedDirty;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK((binding.pointer & ept::kPointerAccessedDirty) != 0);
  auto result = vm.fault(binding.root, 0x1000, Rights::kRead);
  CHECK_FALSE(result.dirtied);
  CHECK((vm.ept12.get(0x1000, 1) & 0x300) == 0x100);
  CHECK(vm.look(binding.pointer, 0x1000).rights == (Rights::kRead | Rights::kExecute));

  // The CPU's walk of L2's page tables counts as a write.
  result = vm.fault(binding.root, 0x1000, Rights::kRead, true);
  CHECK(result.kind == ViolationKind::kFilled);
  CHECK(result.dirtied);
  CHECK((vm.ept12.get(0x1000, 1) & 0x300) == 0x300);
  CHECK(vm.look(binding.pointer, 0x1000).rights == Rights::kAll);
  CHECK(result.flush.kind == FlushKind::kNone);  // rights only grew

  vm.ept12.put(0x2000, 1, 0x8000 | 0x35);
  CHECK(vm.fault(binding.root, 0x2000, Rights::kRead, true).kind ==
        ViolationKind::kReflectViolation);
}

TEST_CASE("neighbours that EPT12 maps are filled along, inside the window only") {
  Vm vm(64, 16);
  vm.backing.level = 1;
  for (std::uint64_t page = 8; page < 40; ++page) {
    vm.ept12.put(page * kPageSize, 1, (page * kPageSize) | 0x37);
  }
  vm.ept12.put(17 * kPageSize, 1, 17 * kPageSize | 0x36);  // malformed
  vm.backing.special[18 * kPageSize] = Rights::kNone;
  vm.backing.special[19 * kPageSize] = Rights::kRead;
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  const auto result = vm.fault(binding.root, 20 * kPageSize, Rights::kRead);
  CHECK(result.filled == 14);
  for (std::uint64_t page = 0; page < 48; ++page) {
    INFO("page " << page);
    const bool expected = page >= 16 && page < 32 && page != 17 && page != 18;
    const auto walk = vm.look(binding.pointer, page * kPageSize);
    CHECK(walk.translated() == expected);
    if (expected) {
      CHECK(walk.address == Hpa(kMoved + page * kPageSize));
      CHECK(walk.rights == (page == 19 ? Rights::kRead : Rights::kAll));
    }
  }
}

TEST_CASE("filling neighbours sets no flag and gives no right that a flag must witness") {
  Vm vm(64, 16);
  vm.pointer12 |= ept::kPointerAccessedDirty;
  vm.ept12.put(0x0000, 1, 0x0000 | 0x37);
  vm.ept12.put(0x1000, 1, 0x1000 | 0x37);          // never accessed
  vm.ept12.put(0x2000, 1, 0x2000 | 0x37 | 0x100);  // accessed
  vm.ept12.put(0x3000, 1, 0x3000 | 0x37 | 0x300);  // written
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK(vm.fault(binding.root, 0, Rights::kRead).filled == 3);
  CHECK(vm.ept12.get(0x1000, 1) == 0x1037);
  CHECK(vm.ept12.get(0x2000, 1) == 0x2137);
  CHECK_FALSE(vm.look(binding.pointer, 0x1000).translated());
  CHECK(vm.look(binding.pointer, 0x2000).rights == (Rights::kRead | Rights::kExecute));
  CHECK(vm.look(binding.pointer, 0x3000).rights == Rights::kAll);
}

TEST_CASE("neighbours inside a larger page of EPT12 are filled too") {
  Vm vm(64, 64);
  vm.backing.level = 1;
  vm.ept12.put(0, 2, 0x0060'0000 | 0xb7);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK(vm.fault(binding.root, 70 * kPageSize, Rights::kRead).filled == 64);
  CHECK(vm.look(binding.pointer, 127 * kPageSize).address == Hpa(kMoved + 0x0060'0000 + 0x7f000));
  CHECK_FALSE(vm.look(binding.pointer, 63 * kPageSize).translated());
}

TEST_CASE("an invalidation takes what EPT12 no longer says and keeps the rest") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  vm.ept12.put(0x2000, 1, 0x8000 | 0x37);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kRead);
  (void)vm.fault(binding.root, 0x2000, Rights::kRead);
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kNone);

  vm.ept12.put(0x1000, 1, 0x9000 | 0x37);
  CHECK(vm.look(binding.pointer, 0x1000).address == Hpa(kMoved + 0x7000));
  const auto flush = vm.shadow.invalidate_single(vm.pointer12);
  CHECK(flush.kind == FlushKind::kRoot);
  CHECK(flush.root.value() == (binding.pointer & ept::kAddress));
  CHECK_FALSE(vm.look(binding.pointer, 0x1000).translated());
  CHECK(vm.look(binding.pointer, 0x2000).address == Hpa(kMoved + 0x8000));
}

TEST_CASE("a table that EPT12 unlinks takes its subtree along") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kRead);
  CHECK(vm.shadow.tables_in_use() == 2 + 3);
  vm.ept12.put(0x1000, 3, 0);
  CHECK(vm.shadow.invalidate_all().kind == FlushKind::kRoot);
  CHECK(vm.shadow.tables_in_use() == 2 + 1);
  CHECK_FALSE(vm.look(binding.pointer, 0x1000).translated());
}

TEST_CASE("a cleared flag is seen by the next invalidation") {
  Vm vm;
  vm.pointer12 |= ept::kPointerAccessedDirty;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kWrite);
  vm.ept12.put(0x1000, 1, 0x7000 | 0x137);
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kRoot);
  CHECK_FALSE(vm.look(binding.pointer, 0x1000, Rights::kWrite).translated());
}

TEST_CASE("a dirty flag cleared on a page that EPT01 backs with smaller ones is seen too") {
  Vm vm;
  vm.backing.level = 1;
  vm.pointer12 |= ept::kPointerAccessedDirty;
  vm.ept12.put(0, 2, 0x0060'0000 | 0xb7);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  CHECK(vm.fault(binding.root, 0x1000, Rights::kWrite).dirtied);
  vm.ept12.put(0, 2, vm.ept12.get(0, 2) & ~ept::kDirty);
  // A read of another part meanwhile is composed from the entry without the flag.
  (void)vm.fault(binding.root, 0x2000, Rights::kRead);
  CHECK(vm.look(binding.pointer, 0x2000).rights == (Rights::kRead | Rights::kExecute));
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kRoot);
  CHECK_FALSE(vm.look(binding.pointer, 0x1000, Rights::kWrite).translated());
}

TEST_CASE("an entry replaced without invalidation makes the next invalidation flush") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x31);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kRead);
  vm.ept12.put(0x1000, 1, 0x9000 | 0x33);
  CHECK(vm.fault(binding.root, 0x1000, Rights::kWrite).flush.kind == FlushKind::kNone);
  CHECK(vm.look(binding.pointer, 0x1000).address == Hpa(kMoved + 0x9000));
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kRoot);
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kNone);
}

TEST_CASE("an invalidation reaches every root with that table, whatever its attributes") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x337);
  const auto plain = *vm.shadow.acquire(vm.pointer12, false);
  const auto flags = *vm.shadow.acquire(vm.pointer12 | ept::kPointerAccessedDirty, false);
  CHECK(plain.root != flags.root);
  (void)vm.fault(plain.root, 0x1000, Rights::kRead);
  (void)vm.fault(flags.root, 0x1000, Rights::kRead);
  vm.ept12.put(0x1000, 1, 0);
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kAll);
  CHECK_FALSE(vm.look(plain.pointer, 0x1000).translated());
  CHECK_FALSE(vm.look(flags.pointer, 0x1000).translated());
}

TEST_CASE("another root is left alone by a single invalidation") {
  Vm vm;
  test::TableBuilder<Gpa1> other(vm.l1, Gpa1(0x20'0000));
  other.put(0x1000, 1, 0x7000 | 0x37);
  const auto binding = *vm.shadow.acquire(other.root().value() | 0x1e, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kRead);
  other.put(0x1000, 1, 0);
  CHECK(vm.shadow.invalidate_single(vm.pointer12).kind == FlushKind::kNone);
  CHECK(vm.look(binding.pointer, 0x1000).translated());
}

TEST_CASE("roots are kept across switches, held ones are not rebound, the oldest free one is") {
  Vm vm;
  test::TableBuilder<Gpa1> b(vm.l1, Gpa1(0x20'0000));
  test::TableBuilder<Gpa1> c(vm.l1, Gpa1(0x30'0000));
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  const auto first = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(first.root, 0x1000, Rights::kRead);
  const auto second = *vm.shadow.acquire(b.root().value() | 0x1e, false);
  CHECK_FALSE(vm.shadow.acquire(c.root().value() | 0x1e, false).has_value());
  vm.shadow.release(first.root);
  CHECK(vm.shadow.acquire(vm.pointer12, false)->pointer == first.pointer);
  CHECK(vm.look(first.pointer, 0x1000).translated());
  CHECK(vm.shadow.is_bound(first.root, vm.pointer12, false));
  CHECK_FALSE(vm.shadow.is_bound(first.root, vm.pointer12, true));

  vm.shadow.release(second.root);
  vm.shadow.release(first.root);
  const auto third = *vm.shadow.acquire(c.root().value() | 0x1e, false);
  CHECK(third.root == second.root);
  const auto fourth = *vm.shadow.acquire(b.root().value() | 0x1e, false);
  CHECK(fourth.root == first.root);
  CHECK(fourth.flush.kind == FlushKind::kRoot);
  CHECK_FALSE(vm.look(fourth.pointer, 0x1000).translated());
}

TEST_CASE("a change of EPT01 drops what was composed from it, and only that") {
  Vm vm;
  vm.backing.level = 1;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  vm.ept12.put(0x2000, 1, 0x8000 | 0x37);
  vm.ept12.put(0x4000'0000, 2, 0x0060'0000 | 0xb7);
  const auto binding = *vm.shadow.acquire(vm.pointer12, false);
  (void)vm.fault(binding.root, 0x1000, Rights::kRead);
  (void)vm.fault(binding.root, 0x2000, Rights::kRead);
  (void)vm.fault(binding.root, 0x4000'3000, Rights::kRead);
  CHECK(vm.shadow.drop_range(Gpa1(0x9000), kPageSize).kind == FlushKind::kNone);
  CHECK(vm.shadow.drop_range(Gpa1(0x8000), kPageSize).kind == FlushKind::kRoot);
  CHECK(vm.look(binding.pointer, 0x1000).translated());
  CHECK_FALSE(vm.look(binding.pointer, 0x2000).translated());
  CHECK(vm.shadow.drop_range(Gpa1(0x0060'3000), kPageSize).kind == FlushKind::kRoot);
  CHECK_FALSE(vm.look(binding.pointer, 0x4000'3000).translated());
  CHECK(vm.shadow.drop_range(vm.ept12.root(), kPageSize).kind == FlushKind::kRoot);
  CHECK_FALSE(vm.look(binding.pointer, 0x1000).translated());
}

TEST_CASE("tables run out: another tree goes first, then its own, and filling goes on") {
  Vm vm(2 + 4);
  test::TableBuilder<Gpa1> b(vm.l1, Gpa1(0x20'0000));
  vm.ept12.put(0x1000, 1, 0x7000 | 0x37);
  b.put(0x1000, 1, 0x8000 | 0x37);
  b.put(0x80'0000'0000, 1, 0x9000 | 0x37);
  const auto first = *vm.shadow.acquire(vm.pointer12, false);
  const auto second = *vm.shadow.acquire(b.root().value() | 0x1e, false);
  CHECK(vm.fault(first.root, 0x1000, Rights::kRead).kind == ViolationKind::kFilled);

  auto result = vm.fault(second.root, 0x1000, Rights::kRead);
  CHECK(result.kind == ViolationKind::kRetry);
  CHECK(result.flush.kind == FlushKind::kRoot);
  CHECK(result.flush.root.value() == (first.pointer & ept::kAddress));
  CHECK_FALSE(vm.look(first.pointer, 0x1000).translated());
  // Until the flush is complete the tables are not used again.
  const auto again = vm.fault(second.root, 0x1000, Rights::kRead);
  CHECK(again.kind == ViolationKind::kRetry);
  CHECK(again.flush.kind == FlushKind::kAll);
  vm.shadow.complete_flush(result.flush.epoch);
  CHECK(vm.fault(second.root, 0x1000, Rights::kRead).kind == ViolationKind::kFilled);

  result = vm.fault(second.root, 0x80'0000'0000, Rights::kRead);
  CHECK(result.kind == ViolationKind::kRetry);
  CHECK(result.flush.root.value() == (second.pointer & ept::kAddress));
  vm.shadow.complete_flush(result.flush.epoch);
  CHECK(vm.fault(second.root, 0x80'0000'0000, Rights::kRead).kind == ViolationKind::kFilled);
  CHECK(vm.look(second.pointer, 0x80'0000'0000).address == Hpa(kMoved + 0x9000));
}

TEST_CASE("user and supervisor execution are kept apart under mode-based control") {
  Vm vm;
  vm.ept12.put(0x1000, 1, 0x7000 | 0x31 | ept::kExecuteUser);
  for (unsigned level = 2; level <= 4; ++level) {
    vm.ept12.put(0x1000, level, vm.ept12.get(0x1000, level) | ept::kExecuteUser);
  }
  const auto binding = *vm.shadow.acquire(vm.pointer12, true);
  CHECK(vm.fault(binding.root, 0x1000, Rights::kExecuteSupervisor).kind ==
        ViolationKind::kReflectViolation);
  CHECK(vm.fault(binding.root, 0x1000, Rights::kExecuteUser).kind == ViolationKind::kFilled);
  auto features = kFeatures;
  features.mode_based = true;
  const auto walk = ept_look(vm.host, root_of_pointer<Hpa>(binding.pointer), 0x1000,
                             Rights::kExecuteUser, features);
  CHECK(walk.translated());
  CHECK(walk.rights == (Rights::kRead | Rights::kExecuteUser));
}
