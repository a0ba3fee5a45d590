#include "mmu/ept_entry.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::mmu;

namespace {
constexpr ept::Features kFull{.execute_only = true,
                              .pages_1g = true,
                              .accessed_dirty = true,
                              .uncacheable_tables = true,
                              .physical_bits = 40};
constexpr ept::Features kPoor{.physical_bits = 36};
}  // namespace

TEST_CASE("write without read and execute without read are misconfigured") {
  CHECK(ept::is_misconfigured(0x2, 4, kFull));
  CHECK(ept::is_misconfigured(0x6, 4, kFull));
  CHECK_FALSE(ept::is_misconfigured(0x4, 4, kFull));
  CHECK(ept::is_misconfigured(0x4, 4, kPoor));
  CHECK_FALSE(ept::is_misconfigured(0x5, 4, kPoor));
  // Bit 10 counts only with mode-based execute control.
  CHECK_FALSE(ept::is_present(0x400, false));
  CHECK(ept::is_present(0x400, true));
  auto mode_based = kPoor;
  mode_based.mode_based = true;
  CHECK(ept::is_misconfigured(0x400, 4, mode_based));
  CHECK_FALSE(ept::is_misconfigured(0x401, 4, mode_based));
}

TEST_CASE("reserved bits depend on the level, the kind and the physical address width") {
  CHECK_FALSE(ept::is_misconfigured(bit(39) | 7, 4, kFull));
  CHECK(ept::is_misconfigured(bit(40) | 7, 4, kFull));
  CHECK(ept::is_misconfigured(bit(36) | 7, 1, kPoor));
  CHECK(ept::is_misconfigured(0x87, 4, kFull));
  CHECK(ept::is_misconfigured(0x87, 5, kFull));
  CHECK_FALSE(ept::is_misconfigured(0x87, 3, kFull));
  CHECK(ept::is_misconfigured(0x87, 3, kPoor));
  CHECK_FALSE(ept::is_misconfigured(0x87, 2, kPoor));
  CHECK(ept::is_misconfigured(0x4000'0087 | bit(29), 3, kFull));
  CHECK(ept::is_misconfigured(0x20'0087 | bit(20), 2, kFull));
  CHECK_FALSE(ept::is_misconfigured(0x20'0087, 2, kFull));
  // Memory type and ignore-PAT bits are reserved in entries that point to a table.
  CHECK(ept::is_misconfigured(0x0f, 2, kFull));
  CHECK(ept::is_misconfigured(0x47, 2, kFull));
  // What is left for software.
  CHECK_FALSE(ept::is_misconfigured(bit_mask(63, 52) | bit(11) | bit(8) | bit(9) | 7, 2, kFull));
}

TEST_CASE("only the five memory types are allowed in leaves") {
  for (std::uint64_t type = 0; type < 8; ++type) {
    const bool bad = type == 2 || type == 3 || type == 7;
    CHECK(ept::is_misconfigured(7 | type << 3, 1, kFull) == bad);
    CHECK(ept::is_misconfigured(0x87 | type << 3, 2, kFull) == bad);
  }
}

TEST_CASE("entries are taken apart and put together alike") {
  const std::uint64_t leaf = ept::make_leaf(0x4020'0000, 2, Rights::kRead | Rights::kExecute,
                                            MemoryType::kWriteBack, true, false);
  CHECK(leaf == 0x4020'00f5);
  CHECK(ept::rights_of(leaf, false) == (Rights::kRead | Rights::kExecute));
  CHECK(ept::type_of(leaf) == MemoryType::kWriteBack);
  CHECK(ept::rights_of(0x405, true) == (Rights::kRead | Rights::kExecute));
  CHECK(ept::rights_of(0x005, true) == (Rights::kRead | Rights::kExecuteSupervisor));
  CHECK(ept::rights_bits(Rights::kAll, true) == 0x407);
  CHECK(ept::rights_bits(Rights::kAll, false) == 0x7);
}

TEST_CASE("EPT pointers are checked as VM entry does") {
  CHECK(ept::is_valid_pointer(0x1000 | 0x1e, kFull));
  CHECK(ept::is_valid_pointer(0x1000 | 0x5e, kFull));
  CHECK(ept::is_valid_pointer(0x1000 | 0x18, kFull));
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x18, kPoor));  // uncacheable tables
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x5e, kPoor));  // accessed and dirty flags
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x16, kFull));  // three levels
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x26, kFull));  // five
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x1c, kFull));  // memory type 4
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x9e, kFull));  // bit 7
  CHECK_FALSE(ept::is_valid_pointer(0x1000 | 0x81e, kFull));
  CHECK_FALSE(ept::is_valid_pointer(bit(40) | 0x1e, kFull));
  CHECK_FALSE(ept::is_valid_pointer(bit(52) | 0x1e, kFull));
  CHECK(ept::make_pointer(0x5000, true, kFull) == 0x505e);
}

TEST_CASE("capabilities are read from the MSR's bits") {
  const auto features = ept::features_from_capability(0x0f01'0633'4141, 39);
  CHECK(features.execute_only);
  CHECK(features.write_back_tables);
  CHECK(features.uncacheable_tables);
  CHECK(features.pages_2m);
  CHECK(features.pages_1g);
  CHECK(features.accessed_dirty);
  CHECK_FALSE(features.five_levels);
  CHECK(features.physical_bits == 39);
  CHECK_FALSE(ept::features_from_capability(0x0f01'0630'4141, 39).pages_1g);
}
