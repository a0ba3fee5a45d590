#include "runtime/smp.hpp"

#include "runtime/apic.hpp"
#include "runtime/boot_info.hpp"
#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"

extern "C" {
extern const std::uint8_t ap_trampoline[], ap_trampoline_end[];
extern std::uint64_t ap_stack_top;
void ap_main();
}

namespace guest {
namespace {

constexpr std::uint64_t kTrampoline = 0x8000;
constexpr std::uint32_t kInit = 0x4500;
constexpr std::uint32_t kStartup = 0x4600 | kTrampoline >> 12;

alignas(16) constinit std::uint8_t stack[16384]{};
void (*ap_code)() = nullptr;

}  // namespace

std::uint64_t tsc_per_us() {
  return command_line_number("tsc-khz", 100000) / 1000;
}

void wait_us(std::uint64_t microseconds) {
  const std::uint64_t end = rdtsc() + microseconds * tsc_per_us();
  while (rdtsc() < end) pause();
}

void start_cpu(std::uint32_t apic_id, void (*main)()) {
  __builtin_memcpy(reinterpret_cast<void*>(kTrampoline), ap_trampoline,
                   static_cast<std::size_t>(ap_trampoline_end - ap_trampoline));
  ap_stack_top = address_of(stack) + sizeof stack;
  ap_code = main;
  apic::send(apic_id, kInit);
  wait_us(200);
  apic::send(apic_id, kStartup);
}

}  // namespace guest

void ap_main() {
  guest::load_idt();
  guest::ap_code();
}
