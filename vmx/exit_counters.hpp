#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vmx/exit_reason.hpp"

namespace archelon::vmx {

// Exits of one vCPU by level and reason, and for L2's what became of them.
struct ExitCounters {
  struct Row {
    std::uint64_t total = 0;
    std::uint64_t reflected = 0;
  };
  // One more row for reasons that have no number in the table.
  using Level = std::array<Row, kExitReasonCount + 1>;

  Level l1{};
  Level l2{};
  std::uint64_t nested_entries = 0;
  std::uint64_t nested_entry_failures = 0;

  [[nodiscard]] static std::size_t row(ExitReason reason) {
    const auto basic = static_cast<std::size_t>(reason.basic());
    return basic < kExitReasonCount ? basic : kExitReasonCount;
  }
  [[nodiscard]] static std::string_view row_name(std::size_t row) {
    return row < kExitReasonCount ? exit_reason_name(static_cast<std::uint32_t>(row))
                                  : std::string_view("UNKNOWN");
  }
  void add(const ExitCounters& other) {
    for (std::size_t i = 0; i < l1.size(); ++i) {
      l1[i].total += other.l1[i].total;
      l2[i].total += other.l2[i].total;
      l2[i].reflected += other.l2[i].reflected;
    }
    nested_entries += other.nested_entries;
    nested_entry_failures += other.nested_entry_failures;
  }
};

}  // namespace archelon::vmx
