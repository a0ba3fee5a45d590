// Reads and writes every MSR of the architectural ranges and some others. Each must succeed or give
// #GP(0); whatever is written, the machine must go on.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"

using namespace guest;

namespace {

std::uint64_t reads = 0;
std::uint64_t writes = 0;
std::uint64_t read_faults = 0;
std::uint64_t write_faults = 0;

void judge(const char* what, std::uint32_t index, std::uint64_t& faults) {
  const Fault fault = take_fault();
  if (!fault.happened) return;
  ++faults;
  if (fault.vector != 13 || fault.error != 0) fail(what, " ", hex(index), ": ", fault);
}

bool try_read(std::uint32_t index, std::uint64_t& value) {
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  expect_fault();
  asm volatile(GUEST_TRY("rdmsr\n\tmov %%eax, %[low]")
               : [low] "=&r"(low), "=&d"(high)
               : "c"(index)
               : "rax", "memory");
  ++reads;
  judge("rdmsr", index, read_faults);
  value = std::uint64_t{high} << 32 | low;
  return !take_fault().happened;
}

void try_write(std::uint32_t index, std::uint64_t value) {
  expect_fault();
  asm volatile(GUEST_TRY("mov %[low], %%eax\n\twrmsr")
               :
               : [low] "r"(static_cast<std::uint32_t>(value)),
                 "d"(static_cast<std::uint32_t>(value >> 32)), "c"(index)
               : "rax", "memory");
  ++writes;
  judge("wrmsr", index, write_faults);
}

// What would end or derail any machine when it is overwritten.
bool is_vital(std::uint32_t index) {
  return index == msr::kApicBase || index == msr::kEfer || index == 0x1d9 || index == 0x79;
}

void storm(std::uint32_t begin, std::uint32_t end) {
  for (std::uint32_t index = begin; index < end; ++index) {
    std::uint64_t value = 0;
    const bool readable = try_read(index, value);
    if (is_vital(index)) continue;
    try_write(index, ~std::uint64_t{0});
    try_write(index, std::uint64_t{1} << 63);
    if (readable) try_write(index, value);
  }
}

}  // namespace

GUEST_MAIN {
  const std::uint64_t star = 0x0010000800000000;
  storm(0, 0x2000);
  storm(0xc0000000, 0xc0002000);
  storm(0x40000000, 0x40000200);
  storm(0xc0010000, 0xc0010200);
  storm(0xfffffff0, 0xffffffff);
  line("reads ", reads, ", each fault a #GP(0)");
  line("some fault: ", read_faults != 0 && write_faults != 0);
  line("some succeed: ", read_faults < reads && write_faults < writes);
  wrmsr(msr::kStar, star);
  line("STAR keeps its value: ", rdmsr(msr::kStar) == star);
  wrmsr(msr::kLstar, 0x12345678);
  line("LSTAR keeps its value: ", rdmsr(msr::kLstar) == 0x12345678);
  return 0;
}
