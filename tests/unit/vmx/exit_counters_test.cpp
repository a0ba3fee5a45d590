#include "vmx/exit_counters.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace archelon::vmx;

TEST_CASE("a reason's row is its number, whatever else the word says") {
  CHECK(ExitCounters::row({48}) == 48);
  CHECK(ExitCounters::row(ExitReason::failed_entry(BasicExitReason::kEntryFailureGuestState)) ==
        33);
  CHECK(ExitCounters::row({79}) == 79);
  CHECK(ExitCounters::row_name(79) == "WRMSRLIST");
  CHECK(ExitCounters::row_name(48) == "EPT_VIOLATION");
}

TEST_CASE("reasons without a number in the table share the last row") {
  const ExitCounters counters;
  for (const std::uint32_t word : {80u, 0x1234u, 0xffffu}) {
    CHECK(ExitCounters::row({word}) == counters.l1.size() - 1);
  }
  CHECK(ExitCounters::row_name(counters.l1.size() - 1) == "UNKNOWN");
}

TEST_CASE("adding sums every row of both levels") {
  ExitCounters sum;
  ExitCounters one;
  for (std::size_t i = 0; i < one.l1.size(); ++i) {
    one.l1[i].total = i + 1;
    one.l2[i] = {.total = 100 + i, .reflected = 10 + i};
  }
  one.nested_entries = 7;
  one.nested_entry_failures = 3;
  sum.add(one);
  sum.add(one);
  for (std::size_t i = 0; i < one.l1.size(); ++i) {
    CHECK(sum.l1[i].total == 2 * (i + 1));
    CHECK(sum.l2[i].total == 2 * (100 + i));
    CHECK(sum.l2[i].reflected == 2 * (10 + i));
  }
  CHECK(sum.nested_entries == 14);
  CHECK(sum.nested_entry_failures == 6);
}
