#pragma once

#include <array>
#include <cstdint>

#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/table_memory.hpp"

namespace archelon::mmu {

// Where a walk starts. A is the space of the tables: Gpa1 for L1's EPT12, Hpa for L0's own.
template <class A>
struct EptRoot {
  A table = {};
  unsigned levels = 4;
  bool accessed_dirty = false;

  bool operator==(const EptRoot&) const = default;
};

// Decodes a pointer that passed ept::is_valid_pointer.
template <class A>
[[nodiscard]] constexpr EptRoot<A> root_of_pointer(std::uint64_t eptp) {
  return {A(eptp & ept::kAddress), static_cast<unsigned>(bit_field(eptp, 5, 3)) + 1,
          (eptp & ept::kPointerAccessedDirty) != 0};
}

// The rights that an access needs. With accessed and dirty flags enabled, the CPU's accesses to
// guest paging structures count as writes too. SDM vol. 3C, "Accessed and Dirty Flags for EPT".
[[nodiscard]] constexpr Rights needed_rights(Rights access, bool guest_page_walk,
                                             bool accessed_dirty) {
  return guest_page_walk && accessed_dirty ? access | Rights::kReadWrite : access;
}

enum class WalkOutcome : std::uint8_t {
  kTranslated,
  kViolation,
  kMisconfiguration,
  kContended,  // an entry kept changing while its flags were set: let the guest try again
};

// What a walk saw. For kTranslated all of it holds; otherwise `level` is that of the entry at which
// the walk ended, and `rights` is what the exit qualification of a violation reports.
template <class A>
struct EptWalk {
  struct Step {
    A address;  // of the entry
    std::uint64_t entry = 0;
  };

  WalkOutcome outcome = WalkOutcome::kViolation;
  unsigned level = 0;                       // of the last entry read; a leaf's is its page size
  Rights rights;                            // AND over all entries read
  bool dirtied = false;                     // the walk set the leaf's dirty flag
  A address;                                // of the byte asked for
  std::array<Step, ept::kMaxLevels> steps;  // [level - 1]

  [[nodiscard]] bool translated() const { return outcome == WalkOutcome::kTranslated; }
  [[nodiscard]] const Step& leaf() const { return steps[level - 1]; }
  [[nodiscard]] std::uint64_t page_bytes() const { return ept::level_bytes(level); }
  [[nodiscard]] MemoryType type() const { return ept::type_of(leaf().entry); }
  [[nodiscard]] bool ignore_pat() const { return (leaf().entry & ept::kIgnorePat) != 0; }
};

namespace detail {

template <class A, class M>
void ept_look_into(EptWalk<A>& walk, M& memory, const EptRoot<A>& root, std::uint64_t input,
                   Rights needed, const ept::Rules& rules) {
  walk.level = root.levels;
  walk.outcome = WalkOutcome::kViolation;
  walk.rights = Rights::kNone;
  if ((input >> ept::level_shift(root.levels + 1)) != 0) {
    return;  // beyond what the tables can map: nothing is present there
  }
  walk.rights = Rights::kAll;
  A table = root.table;
  unsigned shift = ept::level_shift(root.levels);
  for (unsigned level = root.levels;; --level, shift -= 9) {
    const A address = table + ((input >> shift) & (ept::kEntries - 1)) * 8;
    const std::uint64_t entry = load_entry(memory, address).value_or(~std::uint64_t{0});
    walk.steps[level - 1] = {address, entry};
    table = A(entry & ept::kAddress);
    if (rules.is_plain_table(entry, level)) {
      continue;
    }
    walk.level = level;
    walk.rights = walk.rights & ept::rights_of(entry, rules.mode_based());
    if (!ept::is_present(entry, rules.mode_based())) {
      return;
    }
    if (rules.is_misconfigured(entry, level)) {
      walk.outcome = WalkOutcome::kMisconfiguration;
      return;
    }
    if (ept::is_leaf(entry, level)) {
      walk.address = table + (input & (bit(shift) - 1));
      walk.outcome =
          walk.rights.contains(needed) ? WalkOutcome::kTranslated : WalkOutcome::kViolation;
      return;
    }
  }
}

}  // namespace detail

// Walks the tables as the CPU does, without setting flags. Each entry is read once. An entry that
// is not memory reads as all ones, as absent memory does on a machine, and is so a
// misconfiguration. Priorities: SDM vol. 3C, "Prioritization of EPT-Induced VM Exits".
template <class A, class M>
requires PhysicalMemory<M, A>
[[nodiscard]] EptWalk<A> ept_look(M& memory, const EptRoot<A>& root, std::uint64_t input,
                                  Rights needed, const ept::Rules& rules) {
  EptWalk<A> walk;
  detail::ept_look_into(walk, memory, root, input, needed, rules);
  return walk;
}

// Sets, for a walk that translated, the accessed flags of its entries and for a write the leaf's
// dirty flag, top down. False where an entry no longer holds what the walk read. The walk's copies
// of the entries follow.
template <class A, class M>
[[nodiscard]] bool ept_set_flags(M& memory, EptWalk<A>& walk, unsigned levels, bool write) {
  for (unsigned level = levels; level >= walk.level; --level) {
    auto& step = walk.steps[level - 1];
    const bool dirty = write && level == walk.level;
    const std::uint64_t flagged = step.entry | ept::kAccessed | (dirty ? ept::kDirty : 0);
    if (flagged == step.entry) {
      continue;
    }
    if (!exchange_entry(memory, step.address, step.entry, flagged)) {
      return false;
    }
    walk.dirtied = walk.dirtied || (dirty && (step.entry & ept::kDirty) == 0);
    step.entry = flagged;
  }
  return true;
}

// The whole of what the CPU does for an access: the walk, then the accessed and dirty flags where
// the root has them enabled. Flags are set only for an access that is allowed.
template <class A, class M>
[[nodiscard]] EptWalk<A> ept_walk(M& memory, const EptRoot<A>& root, std::uint64_t input,
                                  Rights needed, const ept::Rules& rules) {
  // Each retry means that another CPU of the guest changed the tables meanwhile; a guest that does
  // so in a loop gets its exit back instead of L0's time.
  constexpr int kTries = 4;
  EptWalk<A> walk;
  for (int i = 0; i < kTries; ++i) {
    detail::ept_look_into(walk, memory, root, input, needed, rules);
    if (!walk.translated() || !root.accessed_dirty ||
        ept_set_flags(memory, walk, root.levels, needed.contains(Rights::kWrite))) {
      return walk;
    }
  }
  walk.outcome = WalkOutcome::kContended;
  walk.level = root.levels;
  return walk;
}

}  // namespace archelon::mmu
