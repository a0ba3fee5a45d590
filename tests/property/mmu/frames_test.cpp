#include "mmu/frames.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <vector>

#include "tests/support/fake_memory.hpp"

using namespace archelon;
using namespace archelon::mmu;
using Memory = archelon::test::FakeMemory<Hpa>;

namespace {
constexpr std::uint64_t kMiB = 1 << 20;
}  // namespace

TEST_CASE("random traffic never hands out a frame twice and loses none") {
  Memory memory;
  memory.add(Hpa(0x7000), 4 * kMiB);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(0x7000), 4 * kMiB));
  std::mt19937_64 random(7);
  std::vector<HpaRange> out;
  std::set<std::uint64_t> owned;
  for (int step = 0; step < 20000; ++step) {
    if (random() % 100 < 52) {
      std::optional<Hpa> base;
      std::uint64_t bytes = kPageSize;
      std::uint64_t alignment = kPageSize;
      if (random() % 4 == 0) {
        bytes = kPageSize * (1 + random() % 100);
        alignment = kPageSize << (random() % 8);
        base = frames.allocate_contiguous(bytes, alignment);
      } else {
        base = frames.allocate();
      }
      if (!base) {
        continue;
      }
      REQUIRE(base->is_aligned(alignment));
      for (std::uint64_t offset = 0; offset < bytes; offset += kPageSize) {
        REQUIRE(owned.insert((*base + offset).value()).second);
        REQUIRE((*base + offset).value() >= 0x7000);
        REQUIRE((*base + offset).value() < 0x7000 + 4 * kMiB);
      }
      out.push_back({*base, bytes});
    } else if (!out.empty()) {
      const std::size_t i = random() % out.size();
      for (std::uint64_t offset = 0; offset < out[i].bytes; offset += kPageSize) {
        owned.erase((out[i].base + offset).value());
      }
      frames.free_contiguous(out[i]);
      out.erase(out.begin() + static_cast<std::ptrdiff_t>(i));
    }
    REQUIRE(frames.stats().free + owned.size() == frames.stats().total);
  }
}
