#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/ept_walk.hpp"
#include "mmu/flush.hpp"
#include "mmu/shadow_tables.hpp"

namespace archelon::mmu {

// One EPT12 root and the tree that shadows it.
struct ShadowTree {
  bool bound = false;
  bool stale = false;  // an entry was replaced: CPUs may hold what it said before
  EptRoot<Gpa1> outer;
  ept::Rules rules;  // of the guest's tables
  bool mode_based = false;
  unsigned holders = 0;
  std::uint64_t last_used = 0;
  std::uint32_t root = kNoTable;
  ShadowTableList tables;  // all but the root, which stays with the tree

  // What an entry says that was composed from `source` is still what the guest's entry says, which
  // is `now`. Flags may have been set since; one that was relied on must not have been cleared.
  [[nodiscard]] bool is_current(std::uint64_t source, std::uint64_t now) const {
    if (source == now) {
      return true;
    }
    constexpr std::uint64_t kFlags = ept::kAccessed | ept::kDirty;
    const std::uint64_t relied = outer.accessed_dirty ? source & kFlags & ~now : 0;
    return ((source ^ now) & ~kFlags) == 0 && relied == 0;
  }
};

// The trees' tables, and how things leave them. What is taken out of a tree is noted in a Flush,
// and its tables carry the epoch that publish() gives the Flush at the end of the same call.
template <class L1Memory, class HostMemory>
class ShadowForest {
 public:
  ShadowForest(L1Memory& l1, HostMemory& host, Hpa arena, std::span<ShadowTable> info)
      : tables(host, arena, info), l1_(&l1) {}

  [[nodiscard]] Hpa address(const ShadowTree& tree) const { return tables.address(tree.root); }
  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }

  // Adds the tree to what a flush asks for.
  void note(Flush& flush, ShadowTree& tree) {
    flush.add(address(tree));
    tree.stale = false;
  }
  [[nodiscard]] Flush publish(Flush flush) {
    if (flush.kind != FlushKind::kNone && flush.epoch == 0) {
      flush.epoch = ++epoch_;
    }
    return flush;
  }

  // Empties a tree. False where there was nothing to do: what left it before was noted then.
  bool drop(ShadowTree& tree, Flush& flush) {
    bool empty = tree.tables.count == 0;
    for (const std::uint64_t word : tables[tree.root].used) {
      empty = empty && word == 0;
    }
    if (empty) {
      return false;
    }
    tables.clear_all(tree.root);
    while (tree.tables.head != kNoTable) {
      retire(tree, tree.tables.head);
    }
    note(flush, tree);
    return true;
  }

  // Empties an entry, with what hangs below it. The caller notes the tree.
  void drop_entry(ShadowTree& tree, std::uint32_t table, unsigned i) {
    const std::uint64_t entry = tables.entry(table, i);
    tables.clear(table, i);
    if (!ept::is_leaf(entry, tables[table].level)) {
      drop_subtree(tree, tables.index_of_entry(entry));
    }
  }

  // Drops what EPT12 no longer says.
  void sync(ShadowTree& tree, Flush& flush) {
    if (sync_table(tree, tree.root, tree.outer.table) || tree.stale) {
      note(flush, tree);
    }
  }

  // Drops what was composed from a range of Gpa1, tables of EPT12 included.
  void drop_range(ShadowTree& tree, Gpa1 base, std::uint64_t bytes, Flush& flush) {
    if (overlaps(tree.outer.table, kPageSize, base, bytes)) {
      drop(tree, flush);
    } else if (drop_range_in(tree, tree.root, base, bytes)) {
      note(flush, tree);
    }
  }

  ShadowTables<HostMemory> tables;

 private:
  void retire(ShadowTree& tree, std::uint32_t table) {
    tables.retire(tree.tables, table, epoch_ + 1);
  }

  template <class V>
  void for_each_used(std::uint32_t table, V visit) {
    for (unsigned w = 0; w < ept::kEntries / 64; ++w) {
      for (std::uint64_t word = tables[table].used[w]; word != 0; word &= word - 1) {
        visit(w * 64 + static_cast<unsigned>(std::countr_zero(word)));
      }
    }
  }

  void drop_subtree(ShadowTree& tree, std::uint32_t table) {
    const unsigned level = tables[table].level;
    if (level > 1) {
      for_each_used(table, [&](unsigned i) {
        const std::uint64_t entry = tables.entry(table, i);
        if (!ept::is_leaf(entry, level)) {
          drop_subtree(tree, tables.index_of_entry(entry));
        }
      });
    }
    retire(tree, table);
  }

  // Below one mirror of a table of EPT12. True where anything was dropped.
  bool sync_table(ShadowTree& tree, std::uint32_t table, Gpa1 guest_table) {
    const auto before = tables.sources(table);
    const EntryRun<L1Memory, Gpa1, ept::kEntries> now(*l1_, guest_table, ept::kEntries);
    const bool leaves = tables[table].level == 1;
    bool changed = false;
    for_each_used(table, [&](unsigned i) {
      if (!tree.is_current(before[i], now[i])) {
        drop_entry(tree, table, i);
        changed = true;
      } else if (!leaves) {
        changed = sync_below(tree, table, i) || changed;
      }
    });
    return changed;
  }
  bool sync_below(ShadowTree& tree, std::uint32_t table, unsigned i) {
    const std::uint64_t entry = tables.entry(table, i);
    if (ept::is_leaf(entry, tables[table].level)) {
      return false;
    }
    const std::uint32_t child = tables.index_of_entry(entry);
    return tables[child].mirrors && sync_table(tree, child, tables[child].source);
  }

  [[nodiscard]] static bool overlaps(Gpa1 a, std::uint64_t a_bytes, Gpa1 b, std::uint64_t b_bytes) {
    return a < b ? b - a < a_bytes : a - b < b_bytes;
  }

  bool drop_range_in(ShadowTree& tree, std::uint32_t table, Gpa1 base, std::uint64_t bytes) {
    const unsigned level = tables[table].level;
    bool changed = false;
    for_each_used(table, [&](unsigned i) {
      const std::uint64_t source = tables.source(table, i);
      const bool page = ept::is_leaf(source, level);
      const std::uint64_t span = page ? ept::level_bytes(level) : kPageSize;
      if (overlaps(Gpa1(source & ept::kAddress), span, base, bytes)) {
        drop_entry(tree, table, i);
        changed = true;
      } else if (!page) {
        const std::uint32_t child = tables.index_of_entry(tables.entry(table, i));
        changed = drop_range_in(tree, child, base, bytes) || changed;
      }
    });
    return changed;
  }

  L1Memory* l1_;
  std::uint64_t epoch_ = 0;
};

}  // namespace archelon::mmu
