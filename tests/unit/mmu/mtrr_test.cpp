#include "mmu/mtrr.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::mmu;
using enum MemoryType;

namespace {

constexpr std::uint64_t kMiB = 1 << 20;

MemoryType at(const Mtrrs& mtrrs, std::uint64_t address) {
  return memory_type(mtrrs, Hpa(address));
}

}  // namespace

// SDM vol. 3A, "Base and Mask Calculations", first example: 36 address bits.
TEST_CASE("the manual's example of 128 MByte with two holes and a frame buffer") {
  Mtrrs mtrrs;
  mtrrs.default_type = Mtrrs::kEnable;
  mtrrs.variable = {{0x0000'0000'0000'0006, 0x0000'000f'fc00'0800},   // 0..64 MByte WB
                    {0x0000'0000'0400'0006, 0x0000'000f'fe00'0800},   // 64..96 WB
                    {0x0000'0000'0600'0006, 0x0000'000f'ffc0'0800},   // 96..100 WB
                    {0x0000'0000'0400'0000, 0x0000'000f'ffc0'0800},   // 64..68 UC
                    {0x0000'0000'00f0'0000, 0x0000'000f'fff0'0800},   // 15..16 UC
                    {0x0000'0000'a000'0001, 0x0000'000f'ff80'0800}};  // A0000000.. WC
  CHECK(at(mtrrs, 0) == kWriteBack);
  CHECK(at(mtrrs, 15 * kMiB - 1) == kWriteBack);
  CHECK(at(mtrrs, 15 * kMiB) == kUncacheable);
  CHECK(at(mtrrs, 16 * kMiB) == kWriteBack);
  CHECK(at(mtrrs, 64 * kMiB) == kUncacheable);
  CHECK(at(mtrrs, 68 * kMiB) == kWriteBack);
  CHECK(at(mtrrs, 100 * kMiB - 1) == kWriteBack);
  CHECK(at(mtrrs, 100 * kMiB) == kUncacheable);
  CHECK(at(mtrrs, 0xa000'0000) == kWriteCombining);
  CHECK(at(mtrrs, 0xa080'0000) == kUncacheable);

  CHECK(uniform_memory_type(mtrrs, Hpa(0), 15 * kMiB) == kWriteBack);
  CHECK_FALSE(uniform_memory_type(mtrrs, Hpa(0), 16 * kMiB).has_value());
  CHECK(uniform_memory_type(mtrrs, Hpa(0xa000'0000), 8 * kMiB) == kWriteCombining);
  CHECK_FALSE(uniform_memory_type(mtrrs, Hpa(0xa000'0000), 8 * kMiB + 1).has_value());
  CHECK(uniform_memory_type(mtrrs, Hpa(14 * kMiB + 5), 1) == kWriteBack);
}

TEST_CASE("overlaps: uncacheable wins, write-through over write-back, the rest is not trusted") {
  Mtrrs mtrrs;
  mtrrs.default_type = Mtrrs::kEnable | 6;
  constexpr std::uint64_t kMask = 0xf'fff0'0800;
  const auto both = [&](std::uint64_t a, std::uint64_t b) {
    mtrrs.variable = {{0x10'0000 | a, kMask}, {0x10'0000 | b, kMask}};
    const MemoryType type = at(mtrrs, 0x18'0000);
    mtrrs.variable = {{0x10'0000 | b, kMask}, {0x10'0000 | a, kMask}};
    CHECK(at(mtrrs, 0x18'0000) == type);
    return type;
  };
  CHECK(both(6, 6) == kWriteBack);
  CHECK(both(0, 6) == kUncacheable);
  CHECK(both(0, 1) == kUncacheable);
  CHECK(both(4, 6) == kWriteThrough);
  CHECK(both(1, 6) == kUncacheable);
  CHECK(both(5, 4) == kUncacheable);
}

TEST_CASE("fixed ranges go before variable ones below 1 MByte, when enabled") {
  Mtrrs mtrrs;
  mtrrs.default_type = Mtrrs::kEnable | Mtrrs::kFixedEnable;
  mtrrs.variable = {{6, 0xf'c000'0800}};
  mtrrs.fixed[0] = 0x0606'0606'0606'0604;   // 0..64K WT, the rest WB
  mtrrs.fixed[1] = 0x0506'0606'0606'0606;   // 9C000 WP
  mtrrs.fixed[2] = 0x0101'0101'0101'0101;   // A0000 WC
  mtrrs.fixed[3] = 0x0000'0000'0000'0500;   // C1000 WP
  mtrrs.fixed[10] = 0x0400'0000'0000'0000;  // FF000 WT
  CHECK(at(mtrrs, 0xffff) == kWriteThrough);
  CHECK(at(mtrrs, 0x1'0000) == kWriteBack);
  CHECK(at(mtrrs, 0x9'bfff) == kWriteBack);
  CHECK(at(mtrrs, 0x9'c000) == kWriteProtected);
  CHECK(at(mtrrs, 0xb'ffff) == kWriteCombining);
  CHECK(at(mtrrs, 0xc'0fff) == kUncacheable);
  CHECK(at(mtrrs, 0xc'1000) == kWriteProtected);
  CHECK(at(mtrrs, 0xf'efff) == kUncacheable);
  CHECK(at(mtrrs, 0xf'ffff) == kWriteThrough);
  CHECK(at(mtrrs, 0x10'0000) == kWriteBack);
  CHECK(uniform_memory_type(mtrrs, Hpa(0xa'0000), 0x2'0000) == kWriteCombining);
  CHECK_FALSE(uniform_memory_type(mtrrs, Hpa(0), 2 * kMiB).has_value());
  CHECK(uniform_memory_type(mtrrs, Hpa(0x1'0000), 0x8'c000) == kWriteBack);
  CHECK_FALSE(uniform_memory_type(mtrrs, Hpa(0x1'0000), 0x8'c001).has_value());

  mtrrs.default_type &= ~Mtrrs::kFixedEnable;
  CHECK(at(mtrrs, 0xa'0000) == kWriteBack);
  CHECK(uniform_memory_type(mtrrs, Hpa(0), 1024 * kMiB) == kWriteBack);
}

TEST_CASE("disabled MTRRs make everything uncacheable; invalid ranges do not count") {
  Mtrrs mtrrs;
  mtrrs.variable = {{6, 0xf'c000'0800}};
  CHECK(at(mtrrs, 0) == kUncacheable);
  mtrrs.default_type = Mtrrs::kEnable | 4;
  mtrrs.variable = {{6, 0xf'c000'0000}};
  CHECK(at(mtrrs, 0) == kWriteThrough);
  CHECK(uniform_memory_type(mtrrs, Hpa(0), bit(40)) == kWriteThrough);
  mtrrs.default_type = Mtrrs::kEnable | 2;
  CHECK(at(mtrrs, 0) == kUncacheable);
}

TEST_CASE("mask bits beyond the physical address width are ignored") {
  Mtrrs mtrrs;
  mtrrs.default_type = Mtrrs::kEnable;
  mtrrs.physical_bits = 39;
  mtrrs.variable = {{bit(38) | 6, 0xffff'ffc0'0000'0800}};
  CHECK(at(mtrrs, bit(38)) == kWriteBack);
  CHECK(at(mtrrs, bit(37)) == kUncacheable);
}
