#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/ept_walk.hpp"
#include "mmu/flush.hpp"
#include "mmu/shadow_forest.hpp"
#include "mmu/shadow_leaf.hpp"
#include "mmu/shadow_types.hpp"

namespace archelon::mmu {

// The shadow EPTs of one VM: EPT02 = EPT12 composed with EPT01, built on demand and kept per EPT12
// root.
//
// Shape. Each table of EPT12 that was walked has a mirror in EPT02, with EPT12's rights in the
// entries that link tables, so that the CPU intersects the levels as it would for L1. A page of
// EPT12 which EPT01 backs with smaller ones becomes a subtree of its own. Beside each entry of
// EPT02 stands the entry of EPT12 it came from; an invalidation compares, and only what differs
// goes.
//
// Accessed and dirty flags. Where EPT12 has them enabled, nothing enters EPT02 before the accessed
// flags of its path are set, no page is writable before its dirty flag is, and EPT02's pointer
// enables flags too, so that the CPU's walks of L2's page tables count as writes there as well.
//
// Locks. All calls for a VM are serialised by its owner (one lock per VM), except that a vCPU which
// holds a root may use its pointer without the lock. EPT12 is L1's memory and may change at any
// time; every entry is read once per use.
//
// Roots. A vCPU holds a root from acquire() to release(), at least while it runs L2 on it; what
// it holds is never bound to another EPT12. Its tree may be emptied at any time.
//
// Flush contract. A Flush says which root (or all) the CPUs must invalidate (INVEPT, single or
// global). The calling CPU does so before it enters L2 again. Every other CPU that has run on one
// of this VM's roots does so before it enters L2 again, and is made to exit if it runs L2 now; for
// drop_range that must be complete before the memory concerned gets another owner, otherwise it
// may take its time: what it can still reach is what the architecture lets it keep. When all CPUs
// have invalidated what was asked up to some epoch, the owner calls complete_flush(epoch), which
// makes the tables retired until then usable again. A VM with one vCPU does both at once.
template <class L1Memory, class HostMemory, class Backing>
requires PhysicalMemory<L1Memory, Gpa1> && PhysicalMemory<HostMemory, Hpa> && BackingTables<Backing>
class ShadowEpt {
 public:
  static constexpr unsigned kMaxRoots = 32;
  // Enough for one translation. An instruction of L2 can need some dozens at once: give hundreds.
  static constexpr unsigned kMinTreeTables = 4;
  using RootId = std::uint8_t;

  struct Binding {
    RootId root = 0;
    std::uint64_t pointer = 0;  // the EPTP to run L2 with
    Flush flush;
  };

  // `arena` and `info` are for ShadowTables; info has at least config.roots + kMinTreeTables.
  ShadowEpt(L1Memory& l1, HostMemory& host, const Backing& backing, Hpa arena,
            std::span<ShadowTable> info, const ShadowConfig& config)
      : l1_(&l1), backing_(&backing), forest_(l1, host, arena, info), config_(config) {
    ARCHELON_ASSERT(config.roots > 0 && config.roots <= kMaxRoots);
    ARCHELON_ASSERT(info.size() >= config.roots + kMinTreeTables);
    ARCHELON_ASSERT(is_power_of_two(config.prefill) && config.prefill <= 64);
    for (unsigned r = 0; r < config.roots; ++r) {
      trees_[r].root = *forest_.tables.allocate(fixed_, kTopLevel);
    }
  }
  ShadowEpt(const ShadowEpt&) = delete;
  ShadowEpt& operator=(const ShadowEpt&) = delete;

  // The root for an EPT12 pointer that passed ept::is_valid_pointer (four levels), bound if it is
  // not yet, and held. Nothing where all roots are held for other pointers.
  [[nodiscard]] std::optional<Binding> acquire(std::uint64_t eptp12, bool mode_based) {
    const auto outer = root_of_pointer<Gpa1>(eptp12);
    Flush flush;
    ShadowTree* tree = find(outer, mode_based);
    if (tree == nullptr) {
      tree = least_recent([](const ShadowTree& r) { return r.holders == 0; });
      if (tree == nullptr || outer.levels != kTopLevel) {
        return std::nullopt;
      }
      if (forest_.drop(*tree, flush)) {
        ++stats_.dropped;
      }
      tree->bound = true;
      tree->outer = outer;
      ept::Features features = config_.guest;
      features.mode_based = mode_based;
      tree->rules = features;
      tree->mode_based = mode_based;
    }
    ++tree->holders;
    tree->last_used = ++clock_;
    return Binding{static_cast<RootId>(tree - trees_.data()), pointer(*tree),
                   forest_.publish(flush)};
  }
  void release(RootId id) {
    ARCHELON_ASSERT(trees_[id].holders > 0);
    --trees_[id].holders;
  }
  // True where a held root is for this pointer: then there is nothing to acquire.
  [[nodiscard]] bool is_bound(RootId id, std::uint64_t eptp12, bool mode_based) const {
    const ShadowTree& tree = trees_[id];
    return tree.bound && tree.outer == root_of_pointer<Gpa1>(eptp12) &&
           tree.mode_based == mode_based;
  }

  // An EPT violation of L2 on a held root. `access` holds the rights as of the exit qualification
  // (access_of_qualification), `guest_page_walk` its kind.
  [[nodiscard]] ViolationResult handle_violation(RootId id, Gpa2 gpa2, Rights access,
                                                 bool guest_page_walk) {
    ShadowTree& tree = trees_[id];
    ARCHELON_ASSERT(tree.bound);
    tree.last_used = ++clock_;
    const Rights needed = needed_rights(access, guest_page_walk, tree.outer.accessed_dirty);
    const auto walk = ept_walk(*l1_, tree.outer, gpa2.value(), needed, tree.rules);
    ViolationResult result;
    result.dirtied = walk.dirtied;
    result.rights = walk.rights;
    switch (walk.outcome) {
      case WalkOutcome::kViolation:
        result.kind = ViolationKind::kReflectViolation;
        result.convertible = (walk.leaf().entry & ept::kSuppressVe) == 0;
        return result;
      case WalkOutcome::kMisconfiguration:
        result.kind = ViolationKind::kReflectMisconfiguration;
        return result;
      case WalkOutcome::kContended:
        return result;
      case WalkOutcome::kTranslated:
        break;
    }
    result.gpa1 = walk.address;
    const auto inner = backing_->translate(walk.address);
    if (!inner || !inner->rights.contains(needed)) {
      result.kind = ViolationKind::kBacking;
      return result;
    }
    fill(tree, gpa2, walk, *inner, result);
    result.flush = forest_.publish(result.flush);
    return result;
  }

  // L1's INVEPT, single context: all roots with the pointer's table, whatever their attributes.
  [[nodiscard]] Flush invalidate_single(std::uint64_t eptp12) {
    const Gpa1 table(eptp12 & ept::kAddress);
    Flush flush;
    for (ShadowTree& tree : trees()) {
      if (tree.bound && tree.outer.table == table) {
        invalidate(tree, flush);
      }
    }
    return forest_.publish(flush);
  }
  // L1's INVEPT, global.
  [[nodiscard]] Flush invalidate_all() {
    Flush flush;
    for (ShadowTree& tree : trees()) {
      if (tree.bound) {
        invalidate(tree, flush);
      }
    }
    return forest_.publish(flush);
  }

  // What was composed from this range of L1's memory goes: EPT01 changes there.
  [[nodiscard]] Flush drop_range(Gpa1 base, std::uint64_t bytes) {
    Flush flush;
    for (ShadowTree& tree : trees()) {
      if (tree.bound) {
        forest_.drop_range(tree, base, bytes, flush);
      }
    }
    return forest_.publish(flush);
  }

  // All CPUs have executed what Flushes up to this epoch asked for.
  void complete_flush(std::uint64_t epoch) { forest_.tables.reclaim(epoch); }

  [[nodiscard]] const ShadowStats& stats() const { return stats_; }
  [[nodiscard]] std::uint32_t tables_in_use() const {
    return forest_.tables.capacity() - forest_.tables.free_count() - forest_.tables.retired_count();
  }

 private:
  static constexpr unsigned kTopLevel = 4;
  static constexpr std::uint64_t kFlags = ept::kAccessed | ept::kDirty;

  [[nodiscard]] std::span<ShadowTree> trees() { return std::span(trees_).first(config_.roots); }

  [[nodiscard]] ShadowTree* find(const EptRoot<Gpa1>& outer, bool mode_based) {
    for (ShadowTree& tree : trees()) {
      if (tree.bound && tree.outer == outer && tree.mode_based == mode_based) {
        return &tree;
      }
    }
    return nullptr;
  }
  template <class P>
  [[nodiscard]] ShadowTree* least_recent(P eligible) {
    ShadowTree* oldest = nullptr;
    for (ShadowTree& tree : trees()) {
      if (eligible(tree) && (oldest == nullptr || tree.last_used < oldest->last_used)) {
        oldest = &tree;
      }
    }
    return oldest;
  }
  [[nodiscard]] std::uint64_t pointer(const ShadowTree& tree) const {
    return ept::make_pointer(forest_.tables.address(tree.root).value(), tree.outer.accessed_dirty,
                             config_.host);
  }

  struct Fill {
    const EptWalk<Gpa1>& walk;
    Gpa2 gpa2;
    Stage<Hpa> inner;
    unsigned level;  // of the leaf to write
  };

  void fill(ShadowTree& tree, Gpa2 gpa2, const EptWalk<Gpa1>& walk, const Stage<Hpa>& inner,
            ViolationResult& result) {
    const Fill job{walk, gpa2, inner, std::min(walk.level, inner.level)};
    std::uint32_t table = tree.root;
    for (unsigned level = kTopLevel; level > job.level; --level) {
      const std::uint64_t source = walk.steps[std::max(level, walk.level) - 1].entry;
      auto child = forest_.tables.linked(table, ept::level_index(gpa2.value(), level), source);
      if (!child) {
        child = descend(tree, table, level, source, job, result);
      }
      if (!child) {
        make_room(tree, result);
        return;
      }
      table = *child;
    }
    const unsigned index = ept::level_index(gpa2.value(), job.level);
    if (forest_.tables[table].is_used(index)) {
      replace_leaf(tree, table, index, job, result);
    }
    write_leaf(tree, table, index, walk.leaf().entry, walk.level, inner);
    result.kind = ViolationKind::kFilled;
    result.filled = 1 + prefill(tree, table, job);
    ++stats_.filled;
    stats_.prefilled += result.filled - 1;
  }

  // The table below the entry of `level` on the way to the job's page, which comes from EPT12's
  // `source`, made where it is missing or stands for something else; nothing where no table is
  // free.
  [[nodiscard]] std::optional<std::uint32_t> descend(ShadowTree& tree, std::uint32_t table,
                                                     unsigned level, std::uint64_t source,
                                                     const Fill& job, ViolationResult& result) {
    const unsigned index = ept::level_index(job.gpa2.value(), level);
    const bool mirrors = level > job.walk.level;
    if (forest_.tables[table].is_used(index)) {
      const std::uint64_t entry = forest_.tables.entry(table, index);
      const std::uint64_t before = forest_.tables.source(table, index);
      if (!ept::is_leaf(entry, level) && ((before ^ source) & ~kFlags) == 0) {
        // A flag that L1 cleared meanwhile stays noted as set: its next invalidation must see the
        // difference.
        if ((before | source) != before) {
          forest_.tables.set_source(table, index, before | source);
        }
        return forest_.tables.index_of_entry(entry);
      }
      forest_.drop_entry(tree, table, index);
      forest_.note(result.flush, tree);
    }
    const auto child = forest_.tables.allocate(tree.tables, level - 1);
    if (!child) {
      return std::nullopt;
    }
    if (mirrors) {
      forest_.tables.set_mirror(*child, Gpa1(source & ept::kAddress));
    }
    const bool mode_based = tree.mode_based;
    const Rights rights = mirrors ? ept::rights_of(source, mode_based) : Rights::kAll;
    forest_.tables.set(
        table, index,
        ept::make_table_entry(forest_.tables.address(*child).value(), rights, mode_based) |
            ept::kAccessed,
        source);
    return child;
  }

  void replace_leaf(ShadowTree& tree, std::uint32_t table, unsigned index, const Fill& job,
                    ViolationResult& result) {
    if (!ept::is_leaf(forest_.tables.entry(table, index), job.level)) {
      forest_.drop_entry(tree, table, index);
      forest_.note(result.flush, tree);
    } else if (!tree.is_current(forest_.tables.source(table, index), job.walk.leaf().entry)) {
      tree.stale = true;
    }
  }

  // Composes the guest's leaf `source` with `inner` and writes it, if any right is left.
  bool write_leaf(ShadowTree& tree, std::uint32_t table, unsigned index, std::uint64_t source,
                  unsigned level, const Stage<Hpa>& inner) {
    const std::uint64_t leaf = make_shadow_leaf(source, level, tree.outer.accessed_dirty, inner,
                                                tree.mode_based, config_.host.execute_only);
    if (leaf != 0) {
      forest_.tables.set(table, index, leaf, source);
    }
    return leaf != 0;
  }

  // Fills the empty entries around the job's that EPT12 already maps with pages of the same size.
  // Answers how many. It changes nothing of EPT12: where flags are enabled, pages whose accessed
  // flag is clear are left alone.
  unsigned prefill(ShadowTree& tree, std::uint32_t table, const Fill& job) {
    const unsigned window = config_.prefill;
    const unsigned index = ept::level_index(job.gpa2.value(), job.level);
    const unsigned first = index & ~(window - 1);
    const std::uint64_t mask = window == 64 ? ~std::uint64_t{0} : bit(window) - 1;
    std::uint64_t missing = ~(forest_.tables[table].used[first / 64] >> (first % 64)) & mask;
    if (missing == 0) {
      return 0;
    }
    const bool mirrors = job.level == job.walk.level;
    const EntryRun<L1Memory, Gpa1, 64> group(
        *l1_, job.walk.leaf().address - std::uint64_t{index - first} * 8, window);
    const std::uint64_t span = ept::level_bytes(job.level);
    const Gpa1 first_page = job.walk.address.align_down(span) - (index - first) * span;
    // The page of EPT01 seen last: neighbours are mostly in the same one.
    Stage<Hpa> inner = job.inner;
    Gpa1 inner_of = job.walk.address;
    unsigned filled = 0;
    for (; missing != 0; missing &= missing - 1) {
      const auto i = static_cast<unsigned>(std::countr_zero(missing));
      const std::uint64_t source = mirrors ? group[i] : job.walk.leaf().entry;
      if (mirrors && !may_prefill(tree, source, job.level)) {
        continue;
      }
      const Gpa1 page = mirrors ? Gpa1(source & ept::kAddress) : first_page + i * span;
      const std::uint64_t inner_bytes = ept::level_bytes(inner.level);
      if (page.align_down(inner_bytes) == inner_of.align_down(inner_bytes)) {
        inner.address = inner.address.align_down(inner_bytes) + (page.value() & (inner_bytes - 1));
      } else if (const auto other = backing_->translate(page)) {
        inner = *other;
      } else {
        continue;
      }
      inner_of = page;
      if (std::min(job.walk.level, inner.level) == job.level &&
          write_leaf(tree, table, first + i, source, job.walk.level, inner)) {
        ++filled;
      }
    }
    return filled;
  }

  [[nodiscard]] static bool may_prefill(const ShadowTree& tree, std::uint64_t entry,
                                        unsigned level) {
    return ept::is_present(entry, tree.mode_based) && ept::is_leaf(entry, level) &&
           !tree.rules.is_misconfigured(entry, level) &&
           (!tree.outer.accessed_dirty || (entry & ept::kAccessed) != 0);
  }

  // No table is free: empties the least recently used other tree, or with only its own left, that.
  void make_room(ShadowTree& tree, ViolationResult& result) {
    result.kind = ViolationKind::kRetry;
    if (forest_.tables.retired_count() == 0) {
      ShadowTree* victim =
          least_recent([&](const ShadowTree& t) { return &t != &tree && t.tables.count > 0; });
      forest_.drop(victim != nullptr ? *victim : tree, result.flush);
      ++stats_.evicted;
    } else if (result.flush.kind == FlushKind::kNone) {
      result.flush = Flush{FlushKind::kAll, Hpa(), forest_.epoch()};
    }
  }

  void invalidate(ShadowTree& tree, Flush& flush) {
    if (tree.tables.count <= config_.sync_tables) {
      forest_.sync(tree, flush);
      ++stats_.synced;
    } else if (forest_.drop(tree, flush)) {
      ++stats_.dropped;
    }
  }

  L1Memory* l1_;
  const Backing* backing_;
  ShadowForest<L1Memory, HostMemory> forest_;
  ShadowConfig config_;
  std::array<ShadowTree, kMaxRoots> trees_{};
  ShadowTableList fixed_;
  std::uint64_t clock_ = 0;
  ShadowStats stats_;
};

}  // namespace archelon::mmu
