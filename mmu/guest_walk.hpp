#pragma once

#include <array>
#include <cstdint>

#include "hv/arch/cr.hpp"
#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "mmu/table_memory.hpp"

// Walks of a guest's page tables, for L0's own accesses to guest linear addresses.
// SDM vol. 3A, "Paging". Protection keys, shadow stacks and linear-address masking are not looked
// at, nor is canonicality: that is checked before paging.
namespace archelon::mmu {

// What paging depends on. One structure serves L1 (its tables in Gpa1) and L2 (in Gpa2).
struct PagingState {
  std::uint64_t cr0 = 0;
  std::uint64_t cr3 = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t efer = 0;
  std::uint64_t rflags = 0;
  std::array<std::uint64_t, 4> pdptes{};  // for PAE paging: the registers, not memory
  unsigned physical_bits = 46;            // MAXPHYADDR as the guest was told
  bool pages_1g = true;                   // CPUID.80000001H:EDX.Page1GB as the guest was told
};

struct LinearAccess {
  bool write = false;
  bool fetch = false;
  bool user = false;      // CPL 3, and not implicit
  bool implicit = false;  // a supervisor access to a system structure: EFLAGS.AC does not count
};

namespace pf_error {
inline constexpr std::uint32_t kPresent = 1 << 0;  // a protection violation; 0: not present
inline constexpr std::uint32_t kWrite = 1 << 1;
inline constexpr std::uint32_t kUser = 1 << 2;
inline constexpr std::uint32_t kReserved = 1 << 3;
inline constexpr std::uint32_t kFetch = 1 << 4;
}  // namespace pf_error

enum class PagingMode : std::uint8_t { kNone, k32Bit, kPae, k4Level, k5Level };

[[nodiscard]] constexpr PagingMode paging_mode(const PagingState& state) {
  namespace cr4 = arch::cr4;
  if ((state.cr0 & arch::cr0::kPg) == 0) {
    return PagingMode::kNone;
  }
  if ((state.cr4 & cr4::kPae) == 0) {
    return PagingMode::k32Bit;
  }
  if ((state.efer & arch::efer::kLma) == 0) {
    return PagingMode::kPae;
  }
  return (state.cr4 & cr4::kLa57) != 0 ? PagingMode::k5Level : PagingMode::k4Level;
}

// Where a linear address goes. `user` and `writable` are over all levels.
template <class A>
struct GuestPage {
  A address = {};  // of the byte
  std::uint64_t page_bytes = kPageSize;
  bool user = true;
  bool writable = true;
  bool no_execute = false;
  bool global = false;
};

enum class GuestFaultKind : std::uint8_t {
  kPageFault,   // #PF with `error_code`
  kUnreadable,  // the table entry at `entry` is not memory of the space
  kContended,   // an entry kept changing while its flags were set: let the guest try again
};

template <class A>
struct GuestFault {
  GuestFaultKind kind = GuestFaultKind::kPageFault;
  std::uint32_t error_code = 0;
  A entry = {};
};

namespace detail {

namespace pte {
inline constexpr std::uint64_t kPresent = bit(0);
inline constexpr std::uint64_t kWritable = bit(1);
inline constexpr std::uint64_t kUser = bit(2);
inline constexpr std::uint64_t kAccessed = bit(5);
inline constexpr std::uint64_t kDirty = bit(6);
inline constexpr std::uint64_t kLarge = bit(7);
inline constexpr std::uint64_t kGlobal = bit(8);
inline constexpr std::uint64_t kNoExecute = bit(63);
inline constexpr std::uint64_t kAddress = bit_mask(51, 12);
}  // namespace pte

// How a mode lays out its tables; Entry is the width of an entry.
template <class Entry>
struct TableFormat {
  unsigned levels;
  unsigned index_bits;
  std::uint64_t reserved;  // in every entry
  const PagingState* state;

  [[nodiscard]] unsigned shift(unsigned level) const { return 12 + index_bits * (level - 1); }
  [[nodiscard]] bool is_32_bit() const { return sizeof(Entry) == 4; }

  [[nodiscard]] bool is_leaf(std::uint64_t entry, unsigned level) const {
    if (level == 1) {
      return true;
    }
    const bool large = (entry & pte::kLarge) != 0;
    return is_32_bit() ? large && (state->cr4 & arch::cr4::kPse) != 0 : large && level <= 3;
  }
  [[nodiscard]] std::uint64_t reserved_bits(std::uint64_t entry, unsigned level) const {
    if (!is_leaf(entry, level)) {
      return reserved | (!is_32_bit() && level >= 4 ? pte::kLarge : 0);
    }
    if (level == 1) {
      return reserved;
    }
    if (is_32_bit()) {
      // PSE-36: address bits 39:32 stand in 20:13; those beyond MAXPHYADDR, and bit 21, are
      // reserved.
      const unsigned bits = state->physical_bits < 40 ? state->physical_bits : 40;
      return bit_mask(21, bits - 19);
    }
    return reserved | bit_mask(shift(level) - 1, 13) |
           (level == 3 && !state->pages_1g ? pte::kLarge : 0);
  }
  [[nodiscard]] std::uint64_t page_base(std::uint64_t entry, unsigned level) const {
    if (is_32_bit()) {
      return level == 1 ? entry & bit_mask(31, 12)
                        : (entry & bit_mask(31, 22)) | bit_field(entry, 20, 13) << 32;
    }
    return entry & bit_mask(51, shift(level));
  }
};

[[nodiscard]] constexpr std::uint32_t fault_code(const PagingState& state,
                                                 const LinearAccess& access, std::uint32_t cause) {
  const bool fetch_told =
      (state.cr4 & arch::cr4::kSmep) != 0 ||
      ((state.cr4 & arch::cr4::kPae) != 0 && (state.efer & arch::efer::kNxe) != 0);
  return cause | (access.write ? pf_error::kWrite : 0) | (access.user ? pf_error::kUser : 0) |
         (access.fetch && fetch_told ? pf_error::kFetch : 0);
}

// SDM vol. 3A, "Determination of Access Rights".
template <class A>
[[nodiscard]] constexpr bool is_allowed(const PagingState& state, const LinearAccess& access,
                                        const GuestPage<A>& page) {
  if (access.user) {
    return page.user && (!access.write || page.writable) && !(access.fetch && page.no_execute);
  }
  if (access.fetch) {
    return !page.no_execute && !(page.user && (state.cr4 & arch::cr4::kSmep) != 0);
  }
  if (page.user && (state.cr4 & arch::cr4::kSmap) != 0 &&
      (access.implicit || (state.rflags & arch::rflags::kAc) == 0)) {
    return false;
  }
  return !access.write || page.writable || (state.cr0 & arch::cr0::kWp) == 0;
}

template <class Entry, class A, class M>
[[nodiscard]] Result<GuestPage<A>, GuestFault<A>> walk_once(M& memory, A table,
                                                            const TableFormat<Entry>& format,
                                                            const PagingState& state,
                                                            std::uint64_t linear,
                                                            const LinearAccess& access) {
  struct Step {
    A address;
    Entry entry = 0;
  };
  std::array<Step, 5> steps{};
  const auto fault = [&](std::uint32_t cause) {
    return Err{GuestFault<A>{.error_code = fault_code(state, access, cause)}};
  };
  GuestPage<A> page;
  unsigned level = format.levels;
  for (;; --level) {
    Step& step = steps[level - 1];
    const std::uint64_t index = (linear >> format.shift(level)) & (bit(format.index_bits) - 1);
    step.address = table + index * sizeof(Entry);
    const auto loaded = load_entry<Entry>(memory, step.address);
    if (!loaded) {
      return Err{GuestFault<A>{.kind = GuestFaultKind::kUnreadable, .entry = step.address}};
    }
    step.entry = *loaded;
    if ((step.entry & pte::kPresent) == 0) {
      return fault(0);
    }
    if ((step.entry & format.reserved_bits(step.entry, level)) != 0) {
      return fault(pf_error::kPresent | pf_error::kReserved);
    }
    page.user = page.user && (step.entry & pte::kUser) != 0;
    page.writable = page.writable && (step.entry & pte::kWritable) != 0;
    page.no_execute = page.no_execute || (step.entry & pte::kNoExecute) != 0;
    if (format.is_leaf(step.entry, level)) {
      break;
    }
    table = A(step.entry & (format.is_32_bit() ? bit_mask(31, 12) : pte::kAddress));
  }
  if (!is_allowed(state, access, page)) {
    return fault(pf_error::kPresent);
  }
  page.page_bytes = bit(format.shift(level));
  page.global = (steps[level - 1].entry & pte::kGlobal) != 0;
  page.address =
      A(format.page_base(steps[level - 1].entry, level) + (linear & (page.page_bytes - 1)));
  for (unsigned l = format.levels; l >= level; --l) {
    const Step& step = steps[l - 1];
    const auto flagged = static_cast<Entry>(step.entry | pte::kAccessed |
                                            (access.write && l == level ? pte::kDirty : 0));
    if (flagged != step.entry && !exchange_entry(memory, step.address, step.entry, flagged)) {
      return Err{GuestFault<A>{.kind = GuestFaultKind::kContended, .entry = step.address}};
    }
  }
  return page;
}

template <class Entry, class A, class M>
[[nodiscard]] Result<GuestPage<A>, GuestFault<A>> walk(M& memory, A table,
                                                       const TableFormat<Entry>& format,
                                                       const PagingState& state,
                                                       std::uint64_t linear,
                                                       const LinearAccess& access) {
  constexpr int kTries = 4;
  for (int i = 1;; ++i) {
    const auto result = walk_once<Entry>(memory, table, format, state, linear, access);
    if (result || result.error().kind != GuestFaultKind::kContended || i == kTries) {
      return result;
    }
  }
}

}  // namespace detail

// Translates one linear address for one access, as the CPU would for the guest, and sets accessed
// and dirty flags. A is the space the guest's tables and pages are in. Each entry is read once; a
// table that is not memory is reported as such, since what the guest must then see depends on the
// space (an EPT violation of L2, all ones for L1).
template <class A, class M>
requires PhysicalMemory<M, A>
[[nodiscard]] Result<GuestPage<A>, GuestFault<A>> guest_walk(M& memory, const PagingState& state,
                                                             Gva address,
                                                             const LinearAccess& access) {
  const std::uint64_t beyond = state.physical_bits >= 52 ? 0 : bit_mask(51, state.physical_bits);
  const std::uint64_t no_nx = (state.efer & arch::efer::kNxe) != 0 ? 0 : bit(63);
  const std::uint64_t low = address.value() & bit_mask(31, 0);
  switch (paging_mode(state)) {
    case PagingMode::kNone:
      return GuestPage<A>{.address = A(low)};
    case PagingMode::k32Bit: {
      const detail::TableFormat<std::uint32_t> format{2, 10, 0, &state};
      return detail::walk(memory, A(state.cr3 & bit_mask(31, 12)), format, state, low, access);
    }
    case PagingMode::kPae: {
      const std::uint64_t pdpte = state.pdptes[low >> 30];
      if ((pdpte & detail::pte::kPresent) == 0) {
        return Err{GuestFault<A>{.error_code = detail::fault_code(state, access, 0)}};
      }
      const detail::TableFormat<std::uint64_t> format{2, 9, beyond | no_nx | bit_mask(62, 52),
                                                      &state};
      return detail::walk(memory, A(pdpte & detail::pte::kAddress), format, state, low, access);
    }
    case PagingMode::k4Level:
    case PagingMode::k5Level:
      break;
  }
  const unsigned levels = paging_mode(state) == PagingMode::k5Level ? 5 : 4;
  const detail::TableFormat<std::uint64_t> format{levels, 9, beyond | no_nx, &state};
  return detail::walk(memory, A(state.cr3 & detail::pte::kAddress), format, state, address.value(),
                      access);
}

}  // namespace archelon::mmu
