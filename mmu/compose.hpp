#pragma once

#include <algorithm>
#include <cstdint>

#include "hv/base/address.hpp"
#include "mmu/ept_entry.hpp"

namespace archelon::mmu {

// One step of a translation: where the page of `level` that contains the input goes, and how.
template <class Out>
struct Stage {
  Out address = {};  // of the byte asked for, not of the page
  unsigned level = 1;
  Rights rights = {};
  MemoryType type = MemoryType::kWriteBack;
  bool ignore_pat = false;
};

// The memory type of a page which the outer tables (a guest's) give one type and the inner tables
// (L0's) another: the weaker of the two on every axis, caching of reads, caching of writes,
// combining of writes, so that neither owner sees more than it allowed. SDM vol. 3A, "Methods of
// Caching Available", and "Effective Page-Level Memory Types", whose combinations of MTRR and PAT
// types agree for write-back, write-through and uncacheable.
[[nodiscard]] constexpr MemoryType combine_types(MemoryType outer, MemoryType inner) {
  if (outer == inner || inner == MemoryType::kWriteBack) {
    return outer;
  }
  return outer == MemoryType::kWriteBack ? inner : MemoryType::kUncacheable;
}

// Composes two steps of translation into one for the same input: outer (input -> Middle) then inner
// (Middle -> Out). Rights intersect, types combine, the page is the smaller of the two. `address`
// of `inner` is what inner translated outer's `address` to.
//
// A page of the result which neither table has aligned that way cannot arise: the level is the
// lower one, and both pages are aligned to at least its size.
template <class Middle, class Out>
[[nodiscard]] constexpr Stage<Out> compose(const Stage<Middle>& outer, const Stage<Out>& inner) {
  return {.address = inner.address,
          .level = std::min(outer.level, inner.level),
          .rights = outer.rights & inner.rights,
          .type = combine_types(outer.type, inner.type),
          .ignore_pat = outer.ignore_pat || inner.ignore_pat};
}

// The rights a composed page may have at once while the outer tables track accessed and dirty
// flags: without its dirty flag a page must not be writable, or the first write would go unseen.
[[nodiscard]] constexpr Rights tracked_rights(Rights rights, bool tracking, bool dirty) {
  return tracking && !dirty ? rights.without(Rights::kWrite) : rights;
}

// The rights that the inner format can express: writing needs reading, and executing needs reading
// unless the CPU has execute-only pages.
[[nodiscard]] constexpr Rights expressible_rights(Rights rights, bool execute_only) {
  if (rights.contains(Rights::kRead)) {
    return rights;
  }
  return execute_only ? rights.without(Rights::kWrite) : Rights::kNone;
}

}  // namespace archelon::mmu
