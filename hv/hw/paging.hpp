#pragma once

#include <cstdint>
#include <optional>

#include "boot/memory_map.hpp"
#include "hv/base/address.hpp"

namespace archelon::hw {

// Linear layout above the direct map: CPU stacks, each with an unmapped page below it.
inline constexpr std::uint64_t kStackArea = 0xffffffffc0000000;
inline constexpr std::uint64_t kStackSize = 16384;
inline constexpr std::uint64_t kIstStackSize = 8192;
// One CPU's part of the area: guard, NMI, guard, #DF, guard, #MC, guard, its own stack.
inline constexpr std::uint64_t kStackStride = 65536;

// Replaces the start code's page tables by the final ones: the image with the rights of its
// segments, the machine's RAM and ACPI memory in the direct map, nothing at 0. Takes the memory for
// tables, the boot CPU's stacks and the AP start page out of `memory`. False where there is none.
[[nodiscard]] bool init_paging(boot::MemoryMap& memory);

// Loads the final tables on the executing CPU and turns on what it offers of NX, SMEP, SMAP, UMIP,
// global pages, machine checks and XSAVE; sets the PAT to its reset value.
void load_paging();

// Makes device registers reachable at to_hva(base), uncached. False where memory for tables is out.
[[nodiscard]] bool map_device(Hpa base, std::uint64_t bytes);
// Makes memory that is not RAM by the memory map reachable at to_hva(base), write-back: firmware
// tables in reserved ranges.
[[nodiscard]] bool map_firmware(Hpa base, std::uint64_t bytes);

// Maps stacks for CPU `index` and enters them in its TSS and PerCpu::stack_top. False where memory
// is out.
[[nodiscard]] bool make_stacks(std::uint32_t index);

// Continues at `next` on the executing CPU's own stack. What was on the old one is gone.
[[noreturn]] void switch_to_own_stack(void (*next)());

// True where [address, address + bytes) is mapped. For reports: takes no lock.
[[nodiscard]] bool is_mapped(Hva address, std::uint64_t bytes);

// The memory that CPUs start in: a page below 1 MiB and a CR3, below 4 GiB, of tables that have
// that page at its own physical address besides everything else.
struct ApStartMemory {
  Hpa page;
  Hpa page_tables;
};
[[nodiscard]] ApStartMemory ap_start_memory();

}  // namespace archelon::hw
