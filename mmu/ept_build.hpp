#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "mmu/compose.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/frames.hpp"
#include "mmu/table_memory.hpp"

namespace archelon::mmu {

enum class BuildError : std::uint8_t {
  kOutOfFrames,  // what was mapped before the error stays mapped
  kBadRange,     // unaligned, empty, or beyond 48 bits
  kOverlap,      // something is mapped there already; nothing was changed
};

// Builds the EPT of a VM: Gpa1 -> Hpa with the largest pages that alignment and the CPU allow. It
// maps nothing that it was not told to map.
//
// The owner serialises all calls that change the tables; translate() may run beside them on other
// CPUs as their hardware does. Tables that become empty stay linked until destroy(), so that no
// CPU can be walking a frame that has another owner by then.
//
// Flush contract: mapping what was absent needs no invalidation. After unmap, or set_rights that
// takes rights away, the owner invalidates this root (INVEPT, single context) on every CPU that has
// run on it, and drops what was composed from the range (ShadowEpt::drop_range), before the memory
// goes to another owner. destroy() needs that no CPU runs on the root any more and that all were
// flushed.
template <class M, class F>
requires PhysicalMemory<M, Hpa> && FrameSource<F>
class EptBuilder {
 public:
  // Pages mapped, by level: counts[1] of 4 KByte, [2] of 2 MByte, [3] of 1 GByte.
  using PageCounts = std::array<std::uint64_t, 4>;

  EptBuilder(M& memory, F& frames, const ept::Features& features)
      : memory_(&memory), frames_(&frames), features_(features) {}
  EptBuilder(const EptBuilder&) = delete;
  EptBuilder& operator=(const EptBuilder&) = delete;

  // Takes the root table. Before anything else; false without frames.
  [[nodiscard]] bool create() {
    ARCHELON_ASSERT(!root_);
    root_ = new_table();
    return root_.has_value();
  }

  // Gives all tables back. The builder may create() again.
  void destroy() {
    if (root_) {
      free_table(*root_, kTopLevel);
      root_.reset();
      counts_ = {};
    }
  }

  [[nodiscard]] Hpa root() const {
    ARCHELON_ASSERT(root_.has_value());
    return *root_;
  }
  [[nodiscard]] std::uint64_t pointer() const {
    return ept::make_pointer(root().value(), false, features_);
  }
  [[nodiscard]] const PageCounts& counts() const { return counts_; }
  [[nodiscard]] const ept::Features& features() const { return features_; }

  // Maps guest .. guest + bytes to host .. with these rights and this type.
  [[nodiscard]] Status<BuildError> map(Gpa1 guest, std::uint64_t bytes, Hpa host, Rights rights,
                                       MemoryType type, bool ignore_pat = false) {
    if (!is_good_range(guest, bytes) || !host.is_aligned(kPageSize) ||
        host.value() + bytes < bytes || rights.empty() ||
        expressible_rights(rights, features_.execute_only) != rights) {
      return Err{BuildError::kBadRange};
    }
    if (any_mapped(guest, bytes)) {
      return Err{BuildError::kOverlap};
    }
    const Job job{.rights = rights, .type = type, .ignore_pat = ignore_pat};
    return map_in(*root_, kTopLevel, guest, bytes, host, job) ? Status<BuildError>(Ok{})
                                                              : Err{BuildError::kOutOfFrames};
  }

  // Makes guest .. guest + bytes absent, splitting large pages that it covers in part. What is
  // absent already is left alone.
  [[nodiscard]] Status<BuildError> unmap(Gpa1 guest, std::uint64_t bytes) {
    return edit(guest, bytes, Rights::kNone);
  }

  // Gives what is mapped in the range these rights, splitting large pages that it covers in part.
  [[nodiscard]] Status<BuildError> set_rights(Gpa1 guest, std::uint64_t bytes, Rights rights) {
    if (rights.empty() || expressible_rights(rights, features_.execute_only) != rights) {
      return Err{BuildError::kBadRange};
    }
    return edit(guest, bytes, rights);
  }

  // Where the page that holds `guest` is, nothing where it is absent. Short, and trusting, because
  // the tables are L0's own: upper entries give all rights.
  [[nodiscard]] std::optional<Stage<Hpa>> translate(Gpa1 guest) const {
    if (guest.value() >= kLimit) {
      return std::nullopt;
    }
    Hpa table = root();
    for (unsigned level = kTopLevel;; --level) {
      const std::uint64_t entry =
          load(entry_address(table, ept::level_index(guest.value(), level)));
      if (entry == 0) {
        return std::nullopt;
      }
      table = Hpa(entry & ept::kAddress);
      if (ept::is_leaf(entry, level)) {
        return Stage<Hpa>{.address = table + (guest.value() & (ept::level_bytes(level) - 1)),
                          .level = level,
                          .rights = ept::rights_of(entry, features_.mode_based),
                          .type = ept::type_of(entry),
                          .ignore_pat = (entry & ept::kIgnorePat) != 0};
      }
    }
  }

 private:
  static constexpr unsigned kTopLevel = 4;
  static constexpr std::uint64_t kLimit = bit(48);

  struct Job {
    Rights rights;
    MemoryType type;
    bool ignore_pat;
  };

  [[nodiscard]] static bool is_good_range(Gpa1 guest, std::uint64_t bytes) {
    return bytes > 0 && guest.is_aligned(kPageSize) && is_aligned(bytes, kPageSize) &&
           guest.value() < kLimit && bytes <= kLimit - guest.value();
  }

  [[nodiscard]] std::uint64_t load(Hpa entry) const {
    const auto value = load_entry(*memory_, entry);
    ARCHELON_ASSERT(value.has_value());
    return *value;
  }
  void store(Hpa entry, std::uint64_t value) {
    ARCHELON_ASSERT(store_entry(*memory_, entry, value));
  }
  [[nodiscard]] static Hpa entry_address(Hpa table, unsigned index) {
    return table + std::uint64_t{index} * 8;
  }

  [[nodiscard]] std::optional<Hpa> new_table() {
    const auto frame = frames_->allocate();
    if (frame) {
      ARCHELON_ASSERT(zero_frame(*memory_, *frame));
    }
    return frame;
  }

  void free_table(Hpa table, unsigned level) {
    for (unsigned i = 0; level > 1 && i < ept::kEntries; ++i) {
      const std::uint64_t entry = load(entry_address(table, i));
      if (entry != 0 && !ept::is_leaf(entry, level)) {
        free_table(Hpa(entry & ept::kAddress), level - 1);
      }
    }
    frames_->free(table);
  }

  [[nodiscard]] bool may_be_leaf(unsigned level) const {
    return level == 1 || (level == 2 && features_.pages_2m) || (level == 3 && features_.pages_1g);
  }

  // Calls visit(entry address, first guest address, bytes) for each entry of `table` that the range
  // touches, with the part of the range inside it; stops where it answers false.
  template <class V>
  [[nodiscard]] static bool each_entry(Hpa table, unsigned level, Gpa1 guest, std::uint64_t bytes,
                                       V visit) {
    const std::uint64_t span = ept::level_bytes(level);
    while (bytes > 0) {
      const std::uint64_t part = std::min(bytes, span - (guest.value() & (span - 1)));
      if (!visit(entry_address(table, ept::level_index(guest.value(), level)), guest, part)) {
        return false;
      }
      guest += part;
      bytes -= part;
    }
    return true;
  }

  [[nodiscard]] bool map_in(Hpa table, unsigned level, Gpa1 guest, std::uint64_t bytes, Hpa host,
                            const Job& job) {
    const Gpa1 start = guest;
    return each_entry(table, level, guest, bytes, [&](Hpa slot, Gpa1 first, std::uint64_t part) {
      const Hpa target = host + (first - start);
      std::uint64_t entry = load(slot);
      if (entry == 0 && may_be_leaf(level) && part == ept::level_bytes(level) &&
          target.is_aligned(part)) {
        store(slot, ept::make_leaf(target.value(), level, job.rights, job.type, job.ignore_pat,
                                   features_.mode_based));
        ++counts_[level];
        return true;
      }
      if (entry == 0) {
        const auto child = new_table();
        if (!child) {
          return false;
        }
        entry = ept::make_table_entry(child->value(), Rights::kAll, features_.mode_based);
        store(slot, entry);
      }
      return map_in(Hpa(entry & ept::kAddress), level - 1, first, part, target, job);
    });
  }

  [[nodiscard]] bool any_mapped(Gpa1 guest, std::uint64_t bytes) const {
    return any_mapped_in(*root_, kTopLevel, guest, bytes);
  }
  [[nodiscard]] bool any_mapped_in(Hpa table, unsigned level, Gpa1 guest,
                                   std::uint64_t bytes) const {
    return !each_entry(table, level, guest, bytes, [&](Hpa slot, Gpa1 first, std::uint64_t part) {
      const std::uint64_t entry = load(slot);
      return entry == 0 || (!ept::is_leaf(entry, level) &&
                            !any_mapped_in(Hpa(entry & ept::kAddress), level - 1, first, part));
    });
  }

  // Replaces a large leaf by a table of the next smaller leaves that say the same.
  [[nodiscard]] std::optional<std::uint64_t> split(Hpa slot, std::uint64_t leaf, unsigned level) {
    const auto child = new_table();
    if (!child) {
      return std::nullopt;
    }
    const std::uint64_t size = level == 2 ? leaf & ~ept::kLarge : leaf;
    for (unsigned i = 0; i < ept::kEntries; ++i) {
      store(entry_address(*child, i), size + i * ept::level_bytes(level - 1));
    }
    const std::uint64_t entry =
        ept::make_table_entry(child->value(), Rights::kAll, features_.mode_based);
    store(slot, entry);
    --counts_[level];
    counts_[level - 1] += ept::kEntries;
    return entry;
  }

  [[nodiscard]] Status<BuildError> edit(Gpa1 guest, std::uint64_t bytes, Rights rights) {
    if (!is_good_range(guest, bytes)) {
      return Err{BuildError::kBadRange};
    }
    return edit_in(*root_, kTopLevel, guest, bytes, rights) ? Status<BuildError>(Ok{})
                                                            : Err{BuildError::kOutOfFrames};
  }

  // Gives the leaves of the range `rights`, or removes them where there are none.
  [[nodiscard]] bool edit_in(Hpa table, unsigned level, Gpa1 guest, std::uint64_t bytes,
                             Rights rights) {
    return each_entry(table, level, guest, bytes, [&](Hpa slot, Gpa1 first, std::uint64_t part) {
      std::uint64_t entry = load(slot);
      if (entry == 0) {
        return true;
      }
      if (ept::is_leaf(entry, level) && part < ept::level_bytes(level)) {
        const auto table_entry = split(slot, entry, level);
        if (!table_entry) {
          return false;
        }
        entry = *table_entry;
      }
      if (!ept::is_leaf(entry, level)) {
        return edit_in(Hpa(entry & ept::kAddress), level - 1, first, part, rights);
      }
      if (rights.empty()) {
        store(slot, 0);
        --counts_[level];
        return true;
      }
      const std::uint64_t all = ept::rights_bits(Rights::kAll, features_.mode_based);
      store(slot, (entry & ~all) | ept::rights_bits(rights, features_.mode_based));
      return true;
    });
  }

  M* memory_;
  F* frames_;
  ept::Features features_;
  std::optional<Hpa> root_;
  PageCounts counts_{};
};

}  // namespace archelon::mmu
