#pragma once

#include <cstdint>

#include "hv/base/address.hpp"

namespace archelon::mmu {

enum class FlushKind : std::uint8_t { kNone, kRoot, kAll };

// What CPUs must invalidate: nothing, the translations of one root table, or of all. Pure code
// cannot execute it; whoever gets one must.
struct [[nodiscard]] Flush {
  FlushKind kind = FlushKind::kNone;
  Hpa root = {};            // for kRoot
  std::uint64_t epoch = 0;  // the number of this demand, growing by one; 0 for kNone

  constexpr void add(Hpa table) {
    kind = kind == FlushKind::kNone || (kind == FlushKind::kRoot && root == table)
               ? FlushKind::kRoot
               : FlushKind::kAll;
    root = table;
  }
  bool operator==(const Flush&) const = default;
};

}  // namespace archelon::mmu
