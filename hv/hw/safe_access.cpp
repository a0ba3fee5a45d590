// Instructions that may fault by what the CPU supports. Each names its recovery address in the
// fixup table; the exception entry resumes there (hv/hw/traps.cpp). Not inline: a table entry must
// stay with the one copy of its instruction.
#include <cstdint>

#include "hv/hw/instructions.hpp"

// Records that a fault at local label 1 resumes at local label 2.
#define ARCHELON_FIXUP              \
  ".pushsection .fixups, \"a\"\n\t" \
  ".balign 8\n\t"                   \
  ".quad 1b, 2b\n\t"                \
  ".popsection\n\t"

namespace archelon::hw {

bool rdmsr_safe(std::uint32_t index, std::uint64_t& value) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  std::uint32_t ok = 1;
  asm volatile(
      "1: rdmsr\n\t"
      "jmp 3f\n\t"
      "2: xorl %[ok], %[ok]\n\t"
      "xorl %%eax, %%eax\n\t"
      "xorl %%edx, %%edx\n\t"
      "3:\n\t" ARCHELON_FIXUP
      : "=&a"(low), "=&d"(high), [ok] "+&r"(ok)
      : "c"(index)
      : "cc");
  value = (std::uint64_t{high} << 32) | low;
  return ok != 0;
}

bool wrmsr_safe(std::uint32_t index, std::uint64_t value) {
  std::uint32_t ok = 1;
  asm volatile(
      "1: wrmsr\n\t"
      "jmp 3f\n\t"
      "2: xorl %[ok], %[ok]\n\t"
      "3:\n\t" ARCHELON_FIXUP
      : [ok] "+&r"(ok)
      : "c"(index), "a"(static_cast<std::uint32_t>(value)),
        "d"(static_cast<std::uint32_t>(value >> 32))
      : "cc", "memory");
  return ok != 0;
}

bool xsetbv_safe(std::uint32_t index, std::uint64_t value) {
  std::uint32_t ok = 1;
  asm volatile(
      "1: xsetbv\n\t"
      "jmp 3f\n\t"
      "2: xorl %[ok], %[ok]\n\t"
      "3:\n\t" ARCHELON_FIXUP
      : [ok] "+&r"(ok)
      : "c"(index), "a"(static_cast<std::uint32_t>(value)),
        "d"(static_cast<std::uint32_t>(value >> 32))
      : "cc", "memory");
  return ok != 0;
}

}  // namespace archelon::hw
