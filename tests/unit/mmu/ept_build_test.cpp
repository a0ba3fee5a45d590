#include "mmu/ept_build.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_memory.hpp"

using namespace archelon;
using namespace archelon::mmu;
using Memory = archelon::test::FakeMemory<Hpa>;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kGiB = 1 << 30;
constexpr ept::Features kFeatures{.execute_only = true, .pages_1g = true, .physical_bits = 40};

struct Host {
  explicit Host(std::uint64_t frames_bytes = kMiB, const ept::Features& features = kFeatures)
      : builder(memory, frames, features) {
    memory.add(Hpa(0x10'0000), frames_bytes);
    REQUIRE(frames.add_range(Hpa(0x10'0000), frames_bytes));
    free_before = frames.stats().free;
    REQUIRE(builder.create());
  }

  Memory memory;
  FrameAllocator<Memory> frames{memory};
  EptBuilder<Memory, FrameAllocator<Memory>> builder;
  std::uint64_t free_before = 0;
};

Status<BuildError> map(Host& host, std::uint64_t guest, std::uint64_t bytes, std::uint64_t to) {
  return host.builder.map(Gpa1(guest), bytes, Hpa(to), Rights::kAll, MemoryType::kWriteBack);
}

}  // namespace

TEST_CASE("ranges are mapped with the largest pages that alignment allows") {
  Host host;
  // 4K pages up to 2M, then 2M up to 1G, one 1G page, and the remainder in 2M and 4K.
  REQUIRE(map(host, 2 * kMiB - kPageSize, 2 * kGiB + kPageSize + 0x3000,
              64 * kGiB + 2 * kMiB - kPageSize));
  CHECK(host.builder.counts()[1] == 1 + 3);
  CHECK(host.builder.counts()[2] == 511 + 1);
  CHECK(host.builder.counts()[3] == 1);

  const auto middle = host.builder.translate(Gpa1(kGiB + 0x1234'5678));
  REQUIRE(middle);
  CHECK(middle->address == Hpa(65 * kGiB + 0x1234'5678));
  CHECK(middle->level == 3);
  CHECK(middle->type == MemoryType::kWriteBack);
  CHECK(host.builder.translate(Gpa1(2 * kMiB - 1))->address == Hpa(64 * kGiB + 2 * kMiB - 1));
  CHECK(host.builder.translate(Gpa1(2 * kMiB - 1))->level == 1);
  CHECK_FALSE(host.builder.translate(Gpa1(2 * kMiB - kPageSize - 1)).has_value());
  CHECK(host.builder.translate(Gpa1(2 * kGiB + 2 * kMiB + 0x2fff)).has_value());
  CHECK_FALSE(host.builder.translate(Gpa1(2 * kGiB + 2 * kMiB + 0x3000)).has_value());
}

TEST_CASE("addresses that are not congruent and CPUs without 1G pages get smaller pages") {
  Host host;
  REQUIRE(map(host, 0, 4 * kMiB, 0x1000));
  CHECK(host.builder.counts()[1] == 1024);
  CHECK(host.builder.counts()[2] == 0);

  auto features = kFeatures;
  features.pages_1g = false;
  Host poor(kMiB, features);
  REQUIRE(map(poor, 0, kGiB, 0));
  CHECK(poor.builder.counts()[2] == 512);
  CHECK(poor.builder.counts()[3] == 0);
}

TEST_CASE("mapping over something is refused and changes nothing") {
  Host host;
  REQUIRE(map(host, 4 * kMiB, 2 * kMiB, 4 * kMiB));
  const auto counts = host.builder.counts();
  CHECK(map(host, 0, 16 * kMiB, 0).error() == BuildError::kOverlap);
  CHECK(map(host, 4 * kMiB + 0x5000, 0x1000, 0).error() == BuildError::kOverlap);
  CHECK(host.builder.counts() == counts);
  CHECK_FALSE(host.builder.translate(Gpa1(0)).has_value());
}

TEST_CASE("bad ranges and rights are refused") {
  Host host;
  CHECK(map(host, 1, kPageSize, 0).error() == BuildError::kBadRange);
  CHECK(map(host, 0, 0, 0).error() == BuildError::kBadRange);
  CHECK(map(host, 0, 1, 0).error() == BuildError::kBadRange);
  CHECK(map(host, 0, kPageSize, 1).error() == BuildError::kBadRange);
  CHECK(map(host, bit(48) - kPageSize, 2 * kPageSize, 0).error() == BuildError::kBadRange);
  CHECK(map(host, 0, kPageSize, ~std::uint64_t{0xfff}).error() == BuildError::kBadRange);
  CHECK(host.builder.map(Gpa1(0), kPageSize, Hpa(0), Rights::kWrite, MemoryType::kWriteBack)
            .error() == BuildError::kBadRange);
  CHECK(host.builder.set_rights(Gpa1(0), kPageSize, Rights::kNone).error() ==
        BuildError::kBadRange);
}

TEST_CASE("unmapping splits large pages and leaves the rest as it was") {
  Host host;
  REQUIRE(map(host, 0, 2 * kGiB, 8 * kGiB));
  REQUIRE(host.builder.unmap(Gpa1(kGiB + 0x20'3000), 0x2000));
  CHECK(host.builder.counts()[3] == 1);
  CHECK(host.builder.counts()[2] == 511);
  CHECK(host.builder.counts()[1] == 510);
  CHECK(host.builder.translate(Gpa1(kGiB + 0x20'2fff))->address == Hpa(9 * kGiB + 0x20'2fff));
  CHECK_FALSE(host.builder.translate(Gpa1(kGiB + 0x20'3000)).has_value());
  CHECK_FALSE(host.builder.translate(Gpa1(kGiB + 0x20'4fff)).has_value());
  CHECK(host.builder.translate(Gpa1(kGiB + 0x20'5000))->address == Hpa(9 * kGiB + 0x20'5000));
  CHECK(host.builder.translate(Gpa1(kGiB + 0x3fff'ffff))->level == 2);
  REQUIRE(host.builder.unmap(Gpa1(0), 16 * kGiB));
  CHECK(host.builder.counts() == decltype(host.builder)::PageCounts{});
  // The tables left behind take new pages.
  REQUIRE(map(host, kGiB, 2 * kMiB, 0));
  CHECK(host.builder.translate(Gpa1(kGiB))->level == 2);
}

TEST_CASE("rights change in part of a page only") {
  Host host;
  REQUIRE(host.builder.map(Gpa1(0), 2 * kMiB, Hpa(2 * kMiB), Rights::kAll,
                           MemoryType::kWriteThrough, true));
  REQUIRE(host.builder.set_rights(Gpa1(0x5000), 0x1000, Rights::kRead));
  const auto changed = host.builder.translate(Gpa1(0x5008));
  CHECK(changed->rights == Rights::kRead);
  CHECK(changed->address == Hpa(0x20'5008));
  CHECK(changed->type == MemoryType::kWriteThrough);
  CHECK(changed->ignore_pat);
  CHECK(host.builder.translate(Gpa1(0x6000))->rights == Rights::kAll);
  CHECK(host.builder.translate(Gpa1(0x6000))->ignore_pat);
  REQUIRE(host.builder.set_rights(Gpa1(0x40'0000), 0x1000, Rights::kRead));
  CHECK_FALSE(host.builder.translate(Gpa1(0x40'0000)).has_value());
}

TEST_CASE("running out of frames is reported, and destroy gives all of them back") {
  Host host(8 * kPageSize);
  CHECK(host.builder.map(Gpa1(0), kPageSize, Hpa(0), Rights::kAll, MemoryType::kWriteBack).ok());
  CHECK(map(host, 100 * kGiB, kPageSize, 0).ok());
  CHECK(map(host, 200 * kGiB, kPageSize, 0).error() == BuildError::kOutOfFrames);
  CHECK(host.builder.translate(Gpa1(0)).has_value());
  host.builder.destroy();
  CHECK(host.frames.stats().free == host.free_before);
}

TEST_CASE("the pointer is one that VM entry accepts") {
  Host host;
  CHECK(ept::is_valid_pointer(host.builder.pointer(), kFeatures));
  CHECK((host.builder.pointer() & ept::kAddress) == host.builder.root().value());
}
