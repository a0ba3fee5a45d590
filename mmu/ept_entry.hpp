#pragma once

#include <cstdint>

#include "hv/base/bits.hpp"
#include "mmu/memory_type.hpp"
#include "mmu/rights.hpp"

// EPT paging-structure entries and pointers as 64-bit words with named masks.
// SDM vol. 3C, "The Extended Page Table Mechanism (EPT)".
namespace archelon::mmu::ept {

inline constexpr std::uint64_t kRead = bit(0);
inline constexpr std::uint64_t kWrite = bit(1);
inline constexpr std::uint64_t kExecute = bit(2);  // supervisor-mode, with mode-based control
inline constexpr unsigned kTypeShift = 3;
inline constexpr std::uint64_t kType = bit_mask(5, 3);  // of leaves
inline constexpr std::uint64_t kIgnorePat = bit(6);     // of leaves
inline constexpr std::uint64_t kLarge = bit(7);         // a 2-MByte or 1-GByte leaf
inline constexpr std::uint64_t kAccessed = bit(8);
inline constexpr std::uint64_t kDirty = bit(9);  // of leaves
inline constexpr std::uint64_t kExecuteUser = bit(10);
inline constexpr std::uint64_t kAddress = bit_mask(51, 12);
inline constexpr std::uint64_t kSuppressVe = bit(63);

inline constexpr std::uint64_t kPointerType = bit_mask(2, 0);
inline constexpr std::uint64_t kPointerWalk = bit_mask(5, 3);  // levels - 1
inline constexpr std::uint64_t kPointerAccessedDirty = bit(6);

inline constexpr unsigned kEntries = 512;  // of a table
inline constexpr unsigned kMaxLevels = 5;

// What a walk may rely on: the CPU's (or, for L1's tables, the virtual CPU's) capabilities, and
// whether the VM-execution control "mode-based execute control for EPT" is on.
struct Features {
  bool execute_only = false;
  bool pages_2m = true;
  bool pages_1g = false;
  bool accessed_dirty = false;
  bool uncacheable_tables = false;  // EPTP memory type 0 allowed
  bool write_back_tables = true;    // EPTP memory type 6 allowed
  bool five_levels = false;
  bool mode_based = false;
  unsigned physical_bits = 46;  // MAXPHYADDR

  bool operator==(const Features&) const = default;
};

// From IA32_VMX_EPT_VPID_CAP and CPUID 80000008H:EAX[7:0]. SDM vol. 3D, "VPID and EPT
// Capabilities".
[[nodiscard]] constexpr Features features_from_capability(std::uint64_t ept_vpid_cap,
                                                          unsigned physical_bits) {
  Features features;
  features.execute_only = (ept_vpid_cap & bit(0)) != 0;
  features.five_levels = (ept_vpid_cap & bit(7)) != 0;
  features.uncacheable_tables = (ept_vpid_cap & bit(8)) != 0;
  features.write_back_tables = (ept_vpid_cap & bit(14)) != 0;
  features.pages_2m = (ept_vpid_cap & bit(16)) != 0;
  features.pages_1g = (ept_vpid_cap & bit(17)) != 0;
  features.accessed_dirty = (ept_vpid_cap & bit(21)) != 0;
  features.physical_bits = physical_bits;
  return features;
}

// The bits of an address that lie at or above MAXPHYADDR, up to bit 51.
[[nodiscard]] constexpr std::uint64_t beyond_physical(unsigned physical_bits) {
  return physical_bits >= 52 ? 0 : bit_mask(51, physical_bits);
}

// Levels count from 1 (page table, 4-KByte leaves) to 5 (PML5).
[[nodiscard]] constexpr unsigned level_shift(unsigned level) {
  return 12 + 9 * (level - 1);
}
// Bytes that one entry of a table of this level spans.
[[nodiscard]] constexpr std::uint64_t level_bytes(unsigned level) {
  return bit(level_shift(level));
}
[[nodiscard]] constexpr unsigned level_index(std::uint64_t address, unsigned level) {
  return static_cast<unsigned>(address >> level_shift(level)) & (kEntries - 1);
}

[[nodiscard]] constexpr bool is_present(std::uint64_t entry, bool mode_based) {
  return (entry & (kRead | kWrite | kExecute | (mode_based ? kExecuteUser : 0))) != 0;
}
[[nodiscard]] constexpr bool is_leaf(std::uint64_t entry, unsigned level) {
  return level == 1 || (entry & kLarge) != 0;
}
[[nodiscard]] constexpr MemoryType type_of(std::uint64_t leaf) {
  return static_cast<MemoryType>((leaf & kType) >> kTypeShift);
}

// The bits of Rights stand as in an entry, but for that of user-mode execution.
static_assert(Rights::kRead.bits() == kRead && Rights::kWrite.bits() == kWrite &&
              Rights::kExecuteSupervisor.bits() == kExecute && Rights::kExecuteUser.bits() == 8);

[[nodiscard]] constexpr Rights rights_of(std::uint64_t entry, bool mode_based) {
  const std::uint64_t user = mode_based ? entry >> 7 : entry << 1;
  return Rights::from_bits(static_cast<unsigned>((entry & 7) | (user & 8)));
}

[[nodiscard]] constexpr std::uint64_t rights_bits(Rights rights, bool mode_based) {
  return (rights.bits() & 7) | (mode_based ? (std::uint64_t{rights.bits()} & 8) << 7 : 0);
}

[[nodiscard]] constexpr std::uint64_t make_table_entry(std::uint64_t address, Rights rights,
                                                       bool mode_based) {
  return address | rights_bits(rights, mode_based);
}

[[nodiscard]] constexpr std::uint64_t make_leaf(std::uint64_t address, unsigned level,
                                                Rights rights, MemoryType type, bool ignore_pat,
                                                bool mode_based) {
  return address | rights_bits(rights, mode_based) |
         (static_cast<std::uint64_t>(type) << kTypeShift) | (ignore_pat ? kIgnorePat : 0) |
         (level > 1 ? kLarge : 0);
}

// The bits that must be 0 in a present entry of this level, given whether it is a leaf.
// SDM vol. 3C, "EPT Translation Mechanism" (formats) and "EPT Misconfigurations".
[[nodiscard]] constexpr std::uint64_t reserved_bits(unsigned level, bool leaf,
                                                    const Features& features) {
  const std::uint64_t high = beyond_physical(features.physical_bits);
  if (leaf) {
    return high | (level > 1 ? bit_mask(level_shift(level) - 1, 12) : 0);
  }
  return high | kType | kIgnorePat | (level >= 4 ? kLarge : 0);
}

// What makes an entry an EPT misconfiguration, made ready for walks.
class Rules {
 public:
  constexpr Rules() : Rules(Features{}) {}
  constexpr Rules(const Features& features)  // NOLINT(*-explicit-*): a Features says the same
      : mode_based_(features.mode_based), execute_only_(features.execute_only) {
    constexpr std::uint64_t kNever = ~std::uint64_t{0};
    for (unsigned level = 1; level <= kMaxLevels; ++level) {
      const bool leaf =
          level == 1 || (level == 2 && features.pages_2m) || (level == 3 && features.pages_1g);
      leaf_[level - 1] = leaf ? reserved_bits(level, true, features) : kNever;
      table_[level - 1] = level == 1 ? kNever : reserved_bits(level, false, features);
    }
    for (unsigned rights = 1; rights < 8; ++rights) {
      const bool readable = (rights & kRead) != 0;
      const bool bad = !readable && ((rights & kWrite) != 0 || !features.execute_only);
      bad_rights_ |= bad ? 1U << rights : 0;
    }
  }

  [[nodiscard]] constexpr bool mode_based() const { return mode_based_; }

  // True for the usual entry of an upper level: well-formed, for a table, taking no right away.
  [[nodiscard]] constexpr bool is_plain_table(std::uint64_t entry, unsigned level) const {
    const std::uint64_t all = kRead | kWrite | kExecute | (mode_based_ ? kExecuteUser : 0);
    return level > 1 && (entry & (table_[level - 1] | kLarge | all)) == all;
  }

  // For a present entry.
  [[nodiscard]] constexpr bool is_misconfigured(std::uint64_t entry, unsigned level) const {
    constexpr unsigned kBadTypes = 1U << 2 | 1U << 3 | 1U << 7;
    if (((bad_rights_ >> (entry & (kRead | kWrite | kExecute))) & 1) != 0 ||
        (mode_based_ && !execute_only_ && (entry & (kRead | kExecuteUser)) == kExecuteUser)) {
      return true;
    }
    if (is_leaf(entry, level)) {
      return (entry & leaf_[level - 1]) != 0 ||
             ((kBadTypes >> ((entry & kType) >> kTypeShift)) & 1) != 0;
    }
    return (entry & table_[level - 1]) != 0;
  }

 private:
  std::uint64_t leaf_[kMaxLevels] = {};
  std::uint64_t table_[kMaxLevels] = {};
  unsigned bad_rights_ = 0;
  bool mode_based_;
  bool execute_only_;
};

[[nodiscard]] constexpr bool is_misconfigured(std::uint64_t entry, unsigned level,
                                              const Rules& rules) {
  return rules.is_misconfigured(entry, level);
}

// VM-entry checks on an EPT pointer. SDM vol. 3C, "VM-Execution Control Fields" of the checks on
// VMX controls, and "Extended-Page-Table Pointer (EPTP)". Supervisor shadow-stack control (bit 7)
// is not offered.
[[nodiscard]] constexpr bool is_valid_pointer(std::uint64_t eptp, const Features& features) {
  const std::uint64_t type = eptp & kPointerType;
  const std::uint64_t walk = bit_field(eptp, 5, 3);
  return ((type == 0 && features.uncacheable_tables) ||
          (type == 6 && features.write_back_tables)) &&
         (walk == 3 || (walk == 4 && features.five_levels)) &&
         ((eptp & kPointerAccessedDirty) == 0 || features.accessed_dirty) &&
         (eptp & bit_mask(11, 7)) == 0 && (eptp & bit_mask(63, 52)) == 0 &&
         (eptp & beyond_physical(features.physical_bits)) == 0;
}

[[nodiscard]] constexpr std::uint64_t make_pointer(std::uint64_t root, bool accessed_dirty,
                                                   const Features& features) {
  return root | (features.write_back_tables ? 6U : 0U) | (3U << 3) |
         (accessed_dirty ? kPointerAccessedDirty : 0);
}

static_assert(level_bytes(1) == 4096 && level_bytes(2) == 2U << 20 && level_bytes(3) == 1U << 30);
static_assert(reserved_bits(2, true, {.physical_bits = 52}) == 0x1ff000);
static_assert(reserved_bits(3, true, {.physical_bits = 52}) == 0x3ffff000);
static_assert(reserved_bits(1, true, {.physical_bits = 40}) == 0x000fff0000000000);
static_assert(reserved_bits(4, false, {.physical_bits = 52}) == 0xf8);
static_assert(reserved_bits(2, false, {.physical_bits = 52}) == 0x78);

}  // namespace archelon::mmu::ept
