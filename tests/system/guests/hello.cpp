// What a plain guest sees of its machine: CPUID, the memory map, the command line.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

namespace {

void put_text(const std::uint32_t* words, int n) {
  for (int i = 0; i < n; ++i) {
    for (int byte = 0; byte < 4; ++byte) {
      const char c = static_cast<char>(words[i] >> (8 * byte));
      if (c != 0) put(c);
    }
  }
}

}  // namespace

GUEST_MAIN {
  const BootInfo& info = boot_info();
  line("multiboot ", info.multiboot, " modules ", info.modules);
  line("command line: ", info.command_line);

  const CpuidResult vendor = cpuid(0);
  const std::uint32_t name[] = {vendor.ebx, vendor.edx, vendor.ecx};
  put("vendor: ");
  put_text(name, 3);
  line();
  const CpuidResult features = cpuid(1);
  line("vmx: ", (features.ecx >> 5 & 1) != 0, ", x2apic: ", (features.ecx >> 21 & 1) != 0,
       ", tsc-deadline: ", (features.ecx >> 24 & 1) != 0,
       ", hypervisor: ", (features.ecx >> 31 & 1) != 0);
  line("physical address bits: ", cpuid(0x80000008).eax & 0xff);
  std::uint64_t ram = 0;
  for (std::size_t i = 0; i < info.memory_ranges; ++i) {
    const MemoryRange& r = info.memory[i];
    line("memory ", hex(r.base), " length ", hex(r.length), " type ", r.type);
    if (r.type == 1) ram += r.length;
  }
  line("ram KiB: ", ram / 1024);
  line("feature control: ", hex(rdmsr(msr::kFeatureControl)));
  return static_cast<std::uint8_t>(command_line_number("code", 0));
}
