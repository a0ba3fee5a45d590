// An EPT hierarchy (EPT12) which guests build by hand and may spoil on purpose.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace guest::vmx {

namespace ept {
inline constexpr std::uint64_t kRead = 1;
inline constexpr std::uint64_t kWrite = 2;
inline constexpr std::uint64_t kExecute = 4;
inline constexpr std::uint64_t kAll = 7;
inline constexpr std::uint64_t kWriteBack = 6 << 3;
inline constexpr std::uint64_t kLarge = 1 << 7;
inline constexpr std::uint64_t kAccessed = 1 << 8;
inline constexpr std::uint64_t kDirty = 1 << 9;

// Bits of IA32_VMX_EPT_VPID_CAP.
inline constexpr std::uint64_t kCapExecuteOnly = 1;
inline constexpr std::uint64_t kCap2M = 1 << 16;
inline constexpr std::uint64_t kCap1G = 1 << 17;
inline constexpr std::uint64_t kCapAccessedDirty = 1 << 21;
inline constexpr std::uint64_t kCapInveptSingle = 1 << 25;
inline constexpr std::uint64_t kCapInveptAll = 1 << 26;

inline constexpr std::uint64_t kInveptSingle = 1;
inline constexpr std::uint64_t kInveptAll = 2;
}  // namespace ept

class EptTree {
 public:
  // The entry that maps gpa at the level: 0 is a PTE (4K), 1 a PDE (2M), 2 a PDPTE (1G), 3 a PML4E.
  // Makes the tables above it, with all rights; splits nothing: ends the guest on a large page
  // there.
  std::uint64_t& entry(std::uint64_t gpa, unsigned level);
  void map(std::uint64_t gpa, std::uint64_t pa, unsigned level, std::uint64_t rights = ept::kAll);
  void unmap(std::uint64_t gpa, unsigned level) { entry(gpa, level) = 0; }
  // One to one, in 2M pages.
  void map_identity(std::uint64_t begin, std::uint64_t end);
  // One 2M page replaced by 512 pages of 4K with the same translation.
  void split(std::uint64_t gpa);
  void clear();

  std::uint64_t pointer(bool accessed_dirty = false) const;

 private:
  static constexpr std::size_t kTables = 48;
  struct alignas(4096) Table {
    std::uint64_t entries[512];
  };
  std::uint64_t* new_table();

  Table tables_[kTables]{};
  std::size_t used_ = 1;  // the first is the PML4
};

}  // namespace guest::vmx
