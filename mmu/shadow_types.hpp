#pragma once

#include <concepts>
#include <cstdint>
#include <optional>

#include "hv/base/address.hpp"
#include "mmu/compose.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/flush.hpp"

namespace archelon::mmu {

// The tables of the machine that a guest's own tables are composed with (EPT01).
template <class B>
concept BackingTables = requires(const B backing, Gpa1 address) {
  { backing.translate(address) } -> std::same_as<std::optional<Stage<Hpa>>>;
};

struct ShadowConfig {
  ept::Features guest;    // what L1 was told of its EPT; mode_based is per root and ignored here
  ept::Features host;     // of the CPU
  unsigned roots = 8;     // more than the VM has vCPUs, at most ShadowEpt::kMaxRoots
  unsigned prefill = 16;  // entries filled around a fault: a power of two up to 64; 1 for none
  unsigned sync_tables = 64;  // trees with more tables are dropped by an invalidation, not compared
};

enum class ViolationKind : std::uint8_t {
  kFilled,                   // EPT02 has the translation now: resume L2
  kRetry,                    // execute the flush, then resume L2: it will fault again
  kReflectViolation,         // L1's: `rights` and `convertible` hold
  kReflectMisconfiguration,  // L1's
  kBacking,                  // EPT12 allows it, EPT01 does not: L0's, at `gpa1`
};

struct ViolationResult {
  ViolationKind kind = ViolationKind::kRetry;
  unsigned filled = 0;       // entries of EPT02 written, the faulting one and its neighbours
  bool dirtied = false;      // EPT12's dirty flag went from 0 to 1: L1's page-modification log
  bool convertible = false;  // EPT12's entry lets the violation become a #VE
  Rights rights;             // over EPT12's levels, for the exit qualification
  Gpa1 gpa1;
  Flush flush;
};

struct ShadowStats {
  std::uint64_t filled = 0;
  std::uint64_t prefilled = 0;
  std::uint64_t synced = 0;   // invalidations answered by comparing
  std::uint64_t dropped = 0;  // trees emptied
  std::uint64_t evicted = 0;  // of these, for lack of tables
};

}  // namespace archelon::mmu
