#pragma once

#include <cstdint>

namespace archelon::mmu {

// The encodings which MTRRs, PAT and EPT entries share. SDM vol. 3A, "Memory Types and Their
// Properties" and "PAT Memory Types".
enum class MemoryType : std::uint8_t {
  kUncacheable = 0,
  kWriteCombining = 1,
  kWriteThrough = 4,
  kWriteProtected = 5,
  kWriteBack = 6,
};

// True for what an MTRR or an EPT entry may hold (PAT also has 7, UC-).
[[nodiscard]] constexpr bool is_memory_type(std::uint64_t encoding) {
  return encoding == 0 || encoding == 1 || (encoding >= 4 && encoding <= 6);
}

}  // namespace archelon::mmu
