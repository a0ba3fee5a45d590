#include "mmu/frames.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "tests/support/fake_memory.hpp"

using namespace archelon;
using namespace archelon::mmu;
using Memory = archelon::test::FakeMemory<Hpa>;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

static_assert(FrameSource<FrameAllocator<Memory>>);

}  // namespace

TEST_CASE("frames come from the range, each once, until none is left") {
  Memory memory;
  memory.add(Hpa(0x10'0000), 0x20000);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(0x10'0000), 0x20000));
  CHECK(frames.stats().total == 31);
  CHECK(frames.stats().metadata == 1);

  std::set<std::uint64_t> seen;
  while (const auto frame = frames.allocate()) {
    CHECK(frame->is_aligned(kPageSize));
    CHECK(frame->value() > 0x10'0000);
    CHECK(frame->value() < 0x12'0000);
    CHECK(seen.insert(frame->value()).second);
  }
  CHECK(seen.size() == 31);
  CHECK(frames.stats().free == 0);
  CHECK(frames.stats().failures == 1);

  frames.free(Hpa(0x10'5000));
  CHECK(frames.stats().free == 1);
  CHECK(frames.allocate() == Hpa(0x10'5000));
}

TEST_CASE("a partial page at either end of a range is left out") {
  Memory memory;
  memory.add(Hpa(0), 0x10000);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(0x1001), 0x4fff));
  // Whole pages: 0x2000..0x5fff, the first for the bitmap.
  CHECK(frames.stats().total == 3);
  CHECK(frames.allocate() == Hpa(0x3000));
  CHECK_FALSE(frames.add_range(Hpa(0x8001), 0x1ffe));
  CHECK_FALSE(frames.add_range(Hpa(0x8000), 0x1000));
  CHECK_FALSE(frames.add_range(Hpa(0x5000), 0x4000));
  CHECK_FALSE(frames.add_range(Hpa(~std::uint64_t{0} - 0x2fff), 0x3000));
  CHECK(frames.add_range(Hpa(0x6000), 0x2000));
}

TEST_CASE("double frees and frees of foreign memory are seen and change nothing") {
  Memory memory;
  memory.add(Hpa(0), 0x40000);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(0), 0x40000));
  const Hpa frame = *frames.allocate();
  CHECK(frames.try_free({frame, kPageSize}));
  CHECK_FALSE(frames.try_free({frame, kPageSize}));
  CHECK_FALSE(frames.try_free({Hpa(0), kPageSize}));        // the bitmap
  CHECK_FALSE(frames.try_free({Hpa(0x40000), kPageSize}));  // outside
  CHECK_FALSE(frames.try_free({frame + 8, kPageSize}));     // unaligned
  const Hpa run = *frames.allocate_contiguous(0x4000, kPageSize);
  CHECK_FALSE(frames.try_free({run - kPageSize, 0x5000}));  // the first page is not out
  CHECK(frames.try_free({run, 0x4000}));
  CHECK(frames.stats().free == frames.stats().total);
}

TEST_CASE("contiguous memory is aligned, from the top, and comes back") {
  Memory memory;
  memory.add(Hpa(3 * kMiB), 8 * kMiB);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(3 * kMiB), 8 * kMiB));
  const auto high = frames.allocate_contiguous(2 * kMiB, 2 * kMiB);
  CHECK(high == Hpa(8 * kMiB));
  CHECK(frames.allocate_contiguous(4 * kMiB, 2 * kMiB) == Hpa(4 * kMiB));
  CHECK_FALSE(frames.allocate_contiguous(2 * kMiB, 2 * kMiB).has_value());
  CHECK(frames.allocate_contiguous(kMiB, kPageSize) == Hpa(10 * kMiB));
  frames.free_contiguous({*high, 2 * kMiB});
  CHECK(frames.allocate_contiguous(2 * kMiB, 2 * kMiB) == high);
}

TEST_CASE("the largest run is found across ranges and bounded by the request") {
  Memory memory;
  memory.add(Hpa(0), 6 * kMiB);
  memory.add(Hpa(16 * kMiB), 16 * kMiB);
  FrameAllocator frames(memory);
  REQUIRE(frames.add_range(Hpa(0), 6 * kMiB));
  REQUIRE(frames.add_range(Hpa(16 * kMiB), 16 * kMiB));
  CHECK(frames.allocate_largest(4 * kMiB, 2 * kMiB) == HpaRange{Hpa(2 * kMiB), 4 * kMiB});
  CHECK(frames.allocate_largest(1024 * kMiB, 2 * kMiB) == HpaRange{Hpa(18 * kMiB), 14 * kMiB});
  CHECK_FALSE(frames.allocate_largest(kMiB, 2 * kMiB).has_value());
  CHECK_FALSE(frames.allocate_largest(64 * kMiB, 2 * kMiB).has_value());
}

TEST_CASE("zero_frame clears the whole frame and only it") {
  Memory memory;
  memory.add(Hpa(0), 3 * kPageSize);
  for (std::uint64_t a = 0; a < 3 * kPageSize; a += 8) {
    memory.poke(Hpa(a), 0x55);
  }
  CHECK(zero_frame(memory, Hpa(kPageSize)));
  CHECK(memory.peek(Hpa(kPageSize - 8)) == 0x55);
  CHECK(memory.peek(Hpa(kPageSize)) == 0);
  CHECK(memory.peek(Hpa(2 * kPageSize - 8)) == 0);
  CHECK(memory.peek(Hpa(2 * kPageSize)) == 0x55);
  CHECK_FALSE(zero_frame(memory, Hpa(3 * kPageSize)));
}
