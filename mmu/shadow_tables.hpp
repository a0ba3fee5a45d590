#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/memory.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/frames.hpp"
#include "mmu/table_memory.hpp"

namespace archelon::mmu {

inline constexpr std::uint32_t kNoTable = ~std::uint32_t{0};

// What L0 knows about one table of a shadow tree.
struct ShadowTable {
  std::array<std::uint64_t, ept::kEntries / 64> used{};  // entries in use, one bit each
  std::uint64_t retired = 0;                             // epoch, while waiting for the flush
  Gpa1 source;                                           // the guest's table that this one mirrors
  bool mirrors = false;  // else it is part of one larger page of the guest
  std::uint8_t level = 0;
  bool written = false;  // the frame holds no foreign bytes any more
  std::uint32_t next = kNoTable;
  std::uint32_t previous = kNoTable;

  [[nodiscard]] bool is_used(unsigned i) const { return (used[i / 64] & bit(i % 64)) != 0; }
};

struct ShadowTableList {
  std::uint32_t head = kNoTable;
  std::uint32_t tail = kNoTable;
  std::uint32_t count = 0;
};

// The tables of a VM's shadow trees: a fixed set of frames, with beside each table a frame of
// `source` words that say from which entry of the guest each entry was composed.
//
// A table that leaves a tree is retired, not free: until every CPU has dropped its
// paging-structure caches a walk may still pass through it. reclaim() frees what was retired up
// to an epoch.
template <class M>
requires PhysicalMemory<M, Hpa>
class ShadowTables {
 public:
  // Bytes of contiguous 4-KByte aligned memory that `count` tables need.
  [[nodiscard]] static constexpr std::uint64_t arena_bytes(std::uint64_t count) {
    return 2 * count * kPageSize;
  }

  // `arena` is arena_bytes(info.size()) of memory that is nobody else's; its content is undefined.
  // The elements of `info` are freshly constructed.
  ShadowTables(M& memory, Hpa arena, std::span<ShadowTable> info)
      : memory_(&memory), arena_(arena), info_(info) {
    for (std::uint32_t t = 0; t < info.size(); ++t) {
      append(free_, t);
    }
  }

  [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(info_.size()); }
  [[nodiscard]] std::uint32_t free_count() const { return free_.count; }
  [[nodiscard]] std::uint32_t retired_count() const { return retired_.count; }

  [[nodiscard]] const ShadowTable& operator[](std::uint32_t t) const { return info_[t]; }
  [[nodiscard]] Hpa address(std::uint32_t t) const { return arena_ + t * kPageSize; }
  [[nodiscard]] std::uint32_t index_of_entry(std::uint64_t table_entry) const {
    const std::uint64_t i = ((table_entry & ept::kAddress) - arena_.value()) / kPageSize;
    ARCHELON_ASSERT(i < info_.size());
    return static_cast<std::uint32_t>(i);
  }

  // The table that entry i links, if it was composed from exactly this `source`.
  [[nodiscard]] std::optional<std::uint32_t> linked(std::uint32_t t, unsigned i,
                                                    std::uint64_t source) const {
    const std::uint64_t link = entry(t, i);
    if (link == 0 || (link & ept::kLarge) != 0 || this->source(t, i) != source) {
      return std::nullopt;
    }
    return index_of_entry(link);
  }

  [[nodiscard]] std::uint64_t entry(std::uint32_t t, unsigned i) const {
    return load(entry_address(t, i));
  }
  [[nodiscard]] std::uint64_t source(std::uint32_t t, unsigned i) const {
    return load(source_address(t, i));
  }
  // The source words of a table.
  [[nodiscard]] auto sources(std::uint32_t t) const {
    return EntryRun<M, Hpa, ept::kEntries>(*memory_, source_address(t, 0), ept::kEntries);
  }

  void set(std::uint32_t t, unsigned i, std::uint64_t entry, std::uint64_t source) {
    store(source_address(t, i), source);
    store(entry_address(t, i), entry);
    info_[t].used[i / 64] |= bit(i % 64);
  }
  void set_source(std::uint32_t t, unsigned i, std::uint64_t source) {
    store(source_address(t, i), source);
  }
  void clear(std::uint32_t t, unsigned i) {
    store(entry_address(t, i), 0);
    info_[t].used[i / 64] &= ~bit(i % 64);
  }
  void clear_all(std::uint32_t t) {
    for (unsigned w = 0; w < info_[t].used.size(); ++w) {
      for (std::uint64_t word = info_[t].used[w]; word != 0; word &= word - 1) {
        store(entry_address(t, w * 64 + static_cast<unsigned>(std::countr_zero(word))), 0);
      }
      info_[t].used[w] = 0;
    }
  }

  // An empty table for `tree`, nothing when none is free.
  [[nodiscard]] std::optional<std::uint32_t> allocate(ShadowTableList& tree, unsigned level) {
    if (free_.head == kNoTable) {
      return std::nullopt;
    }
    const std::uint32_t t = free_.head;
    unlink(free_, t);
    if (info_[t].written) {
      clear_all(t);
    } else {
      ARCHELON_ASSERT(zero_frame(*memory_, address(t)));
      info_[t].written = true;
    }
    info_[t].level = static_cast<std::uint8_t>(level);
    info_[t].mirrors = false;
    append(tree, t);
    return t;
  }
  void set_mirror(std::uint32_t t, Gpa1 source) {
    info_[t].source = source;
    info_[t].mirrors = true;
  }

  // Takes a table out of `tree`. Its entries stay as they are until it is used again.
  void retire(ShadowTableList& tree, std::uint32_t t, std::uint64_t epoch) {
    unlink(tree, t);
    info_[t].retired = epoch;
    append(retired_, t);
  }
  void reclaim(std::uint64_t epoch) {
    while (retired_.head != kNoTable && info_[retired_.head].retired <= epoch) {
      const std::uint32_t t = retired_.head;
      unlink(retired_, t);
      prepend(free_, t);  // cheaper to use again than one that was never written
    }
  }

 private:
  [[nodiscard]] Hpa entry_address(std::uint32_t t, unsigned i) const {
    return address(t) + std::uint64_t{i} * 8;
  }
  [[nodiscard]] Hpa source_address(std::uint32_t t, unsigned i) const {
    return arena_ + (info_.size() + t) * kPageSize + std::uint64_t{i} * 8;
  }
  [[nodiscard]] std::uint64_t load(Hpa word) const {
    const auto value = load_entry(*memory_, word);
    ARCHELON_ASSERT(value.has_value());
    return *value;
  }
  void store(Hpa word, std::uint64_t value) { ARCHELON_ASSERT(store_entry(*memory_, word, value)); }

  void append(ShadowTableList& list, std::uint32_t t) {
    info_[t].previous = list.tail;
    info_[t].next = kNoTable;
    (list.tail == kNoTable ? list.head : info_[list.tail].next) = t;
    list.tail = t;
    ++list.count;
  }
  void prepend(ShadowTableList& list, std::uint32_t t) {
    info_[t].previous = kNoTable;
    info_[t].next = list.head;
    (list.head == kNoTable ? list.tail : info_[list.head].previous) = t;
    list.head = t;
    ++list.count;
  }
  void unlink(ShadowTableList& list, std::uint32_t t) {
    const ShadowTable& table = info_[t];
    (table.previous == kNoTable ? list.head : info_[table.previous].next) = table.next;
    (table.next == kNoTable ? list.tail : info_[table.next].previous) = table.previous;
    --list.count;
  }

  M* memory_;
  Hpa arena_;
  std::span<ShadowTable> info_;
  ShadowTableList free_;
  ShadowTableList retired_;
};

}  // namespace archelon::mmu
