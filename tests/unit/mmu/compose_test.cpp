#include "mmu/compose.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::mmu;
using enum MemoryType;

TEST_CASE("a composed page has the smaller size, both rights and the inner address") {
  const Stage<Gpa1> outer{.address = Gpa1(0x4020'3456),
                          .level = 3,
                          .rights = Rights::kRead | Rights::kExecute,
                          .type = kWriteBack,
                          .ignore_pat = true};
  const Stage<Hpa> inner{.address = Hpa(0x1'0020'3456), .level = 2, .rights = Rights::kReadWrite};
  const auto both = compose(outer, inner);
  CHECK(both.address == Hpa(0x1'0020'3456));
  CHECK(both.level == 2);
  CHECK(both.rights == Rights::kRead);
  CHECK(both.ignore_pat);
  CHECK(compose(Stage<Gpa1>{.level = 1}, inner).level == 1);
}

TEST_CASE("types combine to the weaker") {
  CHECK(combine_types(kWriteBack, kWriteBack) == kWriteBack);
  CHECK(combine_types(kUncacheable, kWriteBack) == kUncacheable);
  CHECK(combine_types(kWriteBack, kUncacheable) == kUncacheable);
  CHECK(combine_types(kWriteCombining, kWriteBack) == kWriteCombining);
  CHECK(combine_types(kWriteThrough, kWriteThrough) == kWriteThrough);
  CHECK(combine_types(kWriteThrough, kUncacheable) == kUncacheable);
  for (const auto a : {kUncacheable, kWriteCombining, kWriteThrough, kWriteProtected, kWriteBack}) {
    for (const auto b :
         {kUncacheable, kWriteCombining, kWriteThrough, kWriteProtected, kWriteBack}) {
      CHECK(combine_types(a, b) == combine_types(b, a));
    }
  }
}

TEST_CASE("a page whose dirty flag is clear is not writable while flags are tracked") {
  CHECK(tracked_rights(Rights::kAll, true, false) == (Rights::kRead | Rights::kExecute));
  CHECK(tracked_rights(Rights::kAll, true, true) == Rights::kAll);
  CHECK(tracked_rights(Rights::kAll, false, false) == Rights::kAll);
}

TEST_CASE("rights without reading keep what the CPU can express") {
  CHECK(expressible_rights(Rights::kWrite | Rights::kExecute, true) == Rights::kExecute);
  CHECK(expressible_rights(Rights::kExecute, false).empty());
  CHECK(expressible_rights(Rights::kReadWrite, false) == Rights::kReadWrite);
}
