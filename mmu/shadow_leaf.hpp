#pragma once

#include <cstdint>

#include "hv/base/address.hpp"
#include "mmu/compose.hpp"
#include "mmu/ept_entry.hpp"

namespace archelon::mmu {

// The leaf of EPT02 for a leaf `source` of EPT12 (of `level`) whose page lies, in the part asked
// for, in `inner`; 0 where no right is left. The rights of EPT12's upper levels are not looked at:
// EPT02's upper levels repeat them.
//
// The accessed and dirty flags are set beforehand, so that the CPU never writes to the entry.
[[nodiscard]] constexpr std::uint64_t make_shadow_leaf(std::uint64_t source, unsigned level,
                                                       bool tracks_flags, const Stage<Hpa>& inner,
                                                       bool mode_based, bool execute_only) {
  const Stage<Gpa1> outer{.level = level,
                          .rights = tracked_rights(ept::rights_of(source, mode_based), tracks_flags,
                                                   (source & ept::kDirty) != 0),
                          .type = ept::type_of(source),
                          .ignore_pat = (source & ept::kIgnorePat) != 0};
  const Stage<Hpa> page = compose(outer, inner);
  const Rights rights = expressible_rights(page.rights, execute_only);
  if (rights.empty()) {
    return 0;
  }
  const Hpa address = page.address.align_down(ept::level_bytes(page.level));
  return ept::make_leaf(address.value(), page.level, rights, page.type, page.ignore_pat,
                        mode_based) |
         ept::kAccessed | (rights.contains(Rights::kWrite) ? ept::kDirty : 0);
}

}  // namespace archelon::mmu
