#include <array>
#include <catch2/catch.hpp>
#include <optional>
#include <random>

#include "boot/memory_map.hpp"

using namespace archelon;
using namespace archelon::boot;

// The map against a model that keeps one kind per page.
TEST_CASE("The memory map agrees with a map of single pages") {
  constexpr std::size_t kPages = 48;
  std::mt19937 random(2);
  for (int round = 0; round < 1000; ++round) {
    MemoryMap map;
    std::array<std::optional<MemoryKind>, kPages> model{};
    for (int step = 0; step < 12; ++step) {
      const std::size_t first = random() % kPages;
      const std::size_t count = random() % (kPages - first);
      const auto kind = static_cast<MemoryKind>(random() % 6);
      const bool reserve = random() % 4 == 0;
      const Hpa begin(first * kPageSize);
      if (reserve) {
        map.reserve(begin, begin + count * kPageSize);
      } else {
        map.add(begin, count * kPageSize, kind);
      }
      for (std::size_t p = first; p < first + count; ++p) {
        if (reserve) {
          if (model[p] == MemoryKind::kUsable) {
            model[p] = MemoryKind::kTaken;
          }
        } else if (!model[p] || *model[p] < kind) {
          model[p] = kind;
        }
      }
    }
    if (const auto at = map.take(2 * kPageSize, 2 * kPageSize)) {
      for (std::size_t p = at->value() / kPageSize, n = 0; n < 2; ++n) {
        REQUIRE(model.at(p + n) == MemoryKind::kUsable);
        model[p + n] = MemoryKind::kTaken;
      }
    }
    for (std::size_t p = 0; p < kPages; ++p) {
      std::optional<MemoryKind> found;
      for (const MemoryRange& r : map) {
        if (r.begin.value() <= p * kPageSize && p * kPageSize < r.end.value()) {
          REQUIRE_FALSE(found);
          found = r.kind;
        }
      }
      REQUIRE(found == model[p]);
    }
    for (std::size_t i = 1; i < map.size(); ++i) {
      REQUIRE(map[i - 1].end <= map[i].begin);
      REQUIRE((map[i - 1].end != map[i].begin || map[i - 1].kind != map[i].kind));
    }
  }
}
