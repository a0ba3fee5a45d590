#include "boot/page_tables.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_memory.hpp"

namespace archelon::boot {
namespace {

constexpr std::uint64_t kMega2 = 2U << 20;
constexpr std::uint64_t kGiga = 1U << 30;
constexpr Hva kBase{0xffff800000000000};

struct Frames {
  explicit Frames(test::FakeMemory<Hpa>& m) : memory(m) {}
  std::optional<Hpa> allocate() {
    if (left == 0) {
      return std::nullopt;
    }
    --left;
    const Hpa frame = next;
    next += kPageSize;
    memory.add(frame, kPageSize);
    memory.poke(frame, ~std::uint64_t{0});  // dirty: the builder must clear it
    return frame;
  }
  test::FakeMemory<Hpa>& memory;
  Hpa next{0x100000};
  unsigned left = 64;
};

struct Setup {
  Setup() { memory.add(root, kPageSize); }
  test::FakeMemory<Hpa> memory;
  Frames frames{memory};
  Hpa root{0x1000};
  PageTables<test::FakeMemory<Hpa>, Frames> tables{memory, frames, root, true};
};

TEST_CASE("Page tables use the largest page that alignment and length allow") {
  Setup s;
  const std::uint64_t start = kGiga - kMega2 - kPageSize;
  const std::uint64_t bytes = kPageSize + kMega2 + kGiga + kMega2 + 2 * kPageSize;
  REQUIRE(s.tables.map(kBase + start, Hpa(start), bytes, PageUse::kData) == MapResult::kOk);
  const auto size_at = [&](std::uint64_t at) { return s.tables.walk(kBase + at)->size; };
  CHECK(size_at(start) == kPageSize);
  CHECK(size_at(kGiga - kMega2) == kMega2);
  CHECK(size_at(kGiga + 12345) == kGiga);
  CHECK(size_at(2 * kGiga) == kMega2);
  CHECK(size_at(2 * kGiga + kMega2 + kPageSize) == kPageSize);
  CHECK(s.tables.walk(kBase + (kGiga + 12345))->address == Hpa(kGiga + 12345));
  CHECK_FALSE(s.tables.walk(kBase + (start - 1)));
  CHECK_FALSE(s.tables.walk(kBase + (start + bytes)));
  CHECK_FALSE(s.tables.walk(Hva(0)));
}

TEST_CASE("Without 1-GByte pages 2-MByte pages stand in") {
  Setup s;
  PageTables<test::FakeMemory<Hpa>, Frames> tables(s.memory, s.frames, s.root, false);
  REQUIRE(tables.map(kBase, Hpa(0), 2 * kGiga, PageUse::kData) == MapResult::kOk);
  CHECK(tables.walk(kBase + kGiga)->size == kMega2);
}

TEST_CASE("No mapping is writable and executable") {
  Setup s;
  std::uint64_t at = 0;
  for (const PageUse use : {PageUse::kCode, PageUse::kConstant, PageUse::kData, PageUse::kDevice}) {
    REQUIRE(s.tables.map(kBase + at, Hpa(at), kPageSize, use) == MapResult::kOk);
    const std::uint64_t entry = s.tables.walk(kBase + at)->entry;
    const bool writable = (entry & pte::kWritable) != 0;
    const bool executable = (entry & pte::kNoExecute) == 0;
    CHECK(writable == (use == PageUse::kData || use == PageUse::kDevice));
    CHECK(executable == (use == PageUse::kCode));
    CHECK(((entry & pte::kCacheDisable) != 0) == (use == PageUse::kDevice));
    at += kPageSize;
  }
}

TEST_CASE("A page stays where and as it was first mapped") {
  Setup s;
  REQUIRE(s.tables.map(kBase, Hpa(0), kMega2, PageUse::kData) == MapResult::kOk);
  // Part of it again, and beyond: only the rest is new.
  REQUIRE(s.tables.map(kBase + kPageSize, Hpa(kPageSize), kMega2, PageUse::kDevice) ==
          MapResult::kOk);
  CHECK(s.tables.walk(kBase + kPageSize)->size == kMega2);
  CHECK((s.tables.walk(kBase + kPageSize)->entry & pte::kCacheDisable) == 0);
  CHECK((s.tables.walk(kBase + kMega2)->entry & pte::kCacheDisable) != 0);
  CHECK(s.tables.map(kBase, Hpa(kPageSize), kPageSize, PageUse::kData) == MapResult::kConflict);
}

TEST_CASE("Requests that cannot be met are refused") {
  Setup s;
  CHECK(s.tables.map(kBase + 1, Hpa(0), kPageSize, PageUse::kData) == MapResult::kInvalid);
  CHECK(s.tables.map(kBase, Hpa(1), kPageSize, PageUse::kData) == MapResult::kInvalid);
  CHECK(s.tables.map(kBase, Hpa(0), 0, PageUse::kData) == MapResult::kInvalid);
  CHECK(s.tables.map(Hva(0x7ffffffff000), Hpa(0), 2 * kPageSize, PageUse::kData) ==
        MapResult::kInvalid);
  CHECK(s.tables.map(Hva(0xfffffffffffff000), Hpa(0), 2 * kPageSize, PageUse::kData) ==
        MapResult::kInvalid);
  CHECK(s.tables.map(kBase, Hpa(std::uint64_t{1} << 52), kPageSize, PageUse::kData) ==
        MapResult::kInvalid);
  s.frames.left = 2;
  CHECK(s.tables.map(kBase, Hpa(0), kPageSize, PageUse::kData) == MapResult::kNoFrames);
}

}  // namespace
}  // namespace archelon::boot
