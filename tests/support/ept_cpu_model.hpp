#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "hv/base/address.hpp"

// A second, independent account of what a CPU does with EPT tables: the walk, written from the
// formats alone, and a CPU whose TLB and paging-structure caches forget nothing unless told to.
namespace archelon::test {

// Rights as bits: 1 read, 2 write, 4 execute as supervisor, 8 execute as user.
struct EptModelWalk {
  enum Kind { kPage, kViolation, kMisconfiguration } kind = kViolation;
  unsigned rights = 0;
  std::uint64_t page = 0;  // of 4 KByte, whatever the size of the leaf
  unsigned type = 0;
  bool ignore_pat = false;
  bool accessed = true;  // in all entries
  bool dirty = false;
  std::vector<std::uint64_t> entries;  // their addresses, top down
};

struct EptModelRules {
  bool mode_based = false;
  unsigned physical_bits = 40;
};

using EptModelRead = std::function<std::uint64_t(std::uint64_t)>;

// Continues a walk at `table` of `level` with the rights that the levels above left.
inline EptModelWalk ept_model_walk(const EptModelRead& read, std::uint64_t table, int level,
                                   unsigned rights, std::uint64_t input,
                                   const EptModelRules& rules) {
  EptModelWalk walk;
  walk.rights = rights;
  for (;; --level) {
    const std::uint64_t slot = table + 8 * ((input >> (3 + 9 * level)) % 512);
    const std::uint64_t e = read(slot);
    walk.entries.push_back(slot);
    const unsigned x = (e >> 2) & 1;
    const unsigned xu = rules.mode_based ? (e >> 10) & 1 : x;
    const auto own = static_cast<unsigned>((e & 3) | x << 2 | xu << 3);
    walk.rights &= own;
    walk.accessed = walk.accessed && ((e >> 8) & 1) != 0;
    if (own == 0) {
      walk.kind = EptModelWalk::kViolation;
      return walk;
    }
    const bool leaf = level == 1 || ((e >> 7) & 1) != 0;
    const std::uint64_t frame = (e >> 12) & 0xff'ffff'ffff;
    const unsigned type = (e >> 3) & 7;
    bool bad = (own & 3) == 2 || (frame >> (rules.physical_bits - 12)) != 0;
    if (leaf) {
      bad = bad || level > 3 || type == 2 || type == 3 || type == 7 ||
            frame % (std::uint64_t{1} << (9 * (level - 1))) != 0;
    } else {
      bad = bad || (e & 0x78) != 0;
    }
    if (bad) {
      walk.kind = EptModelWalk::kMisconfiguration;
      return walk;
    }
    if (leaf) {
      walk.kind = EptModelWalk::kPage;
      const std::uint64_t pages = std::uint64_t{1} << (9 * (level - 1));
      walk.page = (frame + (input >> 12) % pages) << 12;
      walk.type = type;
      walk.ignore_pat = ((e >> 6) & 1) != 0;
      walk.dirty = ((e >> 9) & 1) != 0;
      return walk;
    }
    table = frame << 12;
  }
}

class EptCpuModel {
 public:
  EptCpuModel(EptModelRead read, std::mt19937_64& random)
      : read_(std::move(read)), random_(random) {}

  // Any translation which this CPU may use now for `input` under the root: one that it cached, or
  // a walk that starts at the root or at any table that it remembers. What the walk goes through is
  // remembered. Answers a violation where the one picked lacks `needed`.
  EptModelWalk translate(std::uint64_t root, std::uint64_t input, unsigned needed,
                         const EptModelRules& rules) {
    std::vector<EptModelWalk*> cached;
    for (auto& entry : pages_) {
      if (entry.root == root && entry.input == input >> 12) {
        cached.push_back(&entry.walk);
      }
    }
    EptModelWalk walk;
    if (!cached.empty() && random_() % 4 != 0) {
      walk = *cached[random_() % cached.size()];
    } else {
      Table from{root, 4, 0, root, 15};
      std::vector<const Table*> known;
      for (const Table& table : tables_) {
        if (table.root == root && table.input == input >> (12 + 9 * table.level)) {
          known.push_back(&table);
        }
      }
      if (!known.empty() && random_() % 3 != 0) {
        from = *known[random_() % known.size()];
      }
      walk = ept_model_walk(read_, from.table, from.level, from.rights, input, rules);
      if (walk.kind == EptModelWalk::kPage) {
        remember(root, input, from, walk, rules);
      }
    }
    if (walk.kind == EptModelWalk::kPage && (walk.rights & needed) != needed) {
      walk.kind = EptModelWalk::kViolation;
    }
    return walk;
  }

  // What an EPT violation itself drops.
  void drop_address(std::uint64_t root, std::uint64_t input) {
    std::erase_if(pages_, [&](const Page& p) { return p.root == root && p.input == input >> 12; });
    std::erase_if(tables_, [&](const Table& t) {
      return t.root == root && t.input == input >> (12 + 9 * t.level);
    });
  }
  void drop_root(std::uint64_t root) {
    std::erase_if(pages_, [&](const Page& p) { return p.root == root; });
    std::erase_if(tables_, [&](const Table& t) { return t.root == root; });
  }
  void drop_all() {
    pages_.clear();
    tables_.clear();
  }

 private:
  struct Page {
    std::uint64_t root;
    std::uint64_t input;
    EptModelWalk walk;
  };
  struct Table {
    std::uint64_t root;
    int level;
    std::uint64_t input;  // the bits of the input above the table
    std::uint64_t table;
    unsigned rights;
  };

  void remember(std::uint64_t root, std::uint64_t input, const Table& from,
                const EptModelWalk& walk, const EptModelRules& rules) {
    pages_.push_back({root, input >> 12, walk});
    unsigned rights = from.rights;
    for (std::size_t i = 0; i + 1 < walk.entries.size(); ++i) {
      const std::uint64_t e = read_(walk.entries[i]);
      const unsigned x = (e >> 2) & 1;
      const unsigned xu = rules.mode_based ? (e >> 10) & 1 : x;
      rights &= static_cast<unsigned>((e & 3) | x << 2 | xu << 3);
      const int level = from.level - 1 - static_cast<int>(i);
      tables_.push_back({root, level, input >> (12 + 9 * level), e & 0xf'ffff'ffff'f000, rights});
    }
    // Forgetting is always allowed; it keeps the model fast.
    constexpr std::size_t kMost = 400;
    while (pages_.size() > kMost) {
      pages_.erase(pages_.begin() + static_cast<std::ptrdiff_t>(random_() % pages_.size()));
    }
    while (tables_.size() > kMost) {
      tables_.erase(tables_.begin() + static_cast<std::ptrdiff_t>(random_() % tables_.size()));
    }
  }

  EptModelRead read_;
  std::mt19937_64& random_;
  std::vector<Page> pages_;
  std::vector<Table> tables_;
};

}  // namespace archelon::test
