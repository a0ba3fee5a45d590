#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "hv/guest/boot_request.hpp"
#include "hv/guest/boot_state.hpp"
#include "hv/guest/guest_writer.hpp"
#include "hv/guest/load_error.hpp"

namespace archelon::guest {

// Where the boot data lie in the guest's low memory.
inline constexpr Gpa1 kLinuxGdt{0x1000};
inline constexpr Gpa1 kLinuxBootParams{0x2000};
inline constexpr Gpa1 kLinuxPageTables{0x3000};  // PML4, PDPT, four page directories
inline constexpr Gpa1 kLinuxStack{0x1'0000};     // grows down
inline constexpr Gpa1 kLinuxCommandLine{0x1'0000};
inline constexpr std::uint64_t kLinuxCommandLineArea = 0x1'0000;

// What the setup header of a bzImage asks for, checked against the file and the VM's memory (Linux
// Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header").
struct LinuxPlan {
  std::uint16_t version = 0;
  bool entry64 = false;               // XLF_KERNEL_64: enter at +0x200 in 64-bit mode
  std::span<const std::byte> header;  // setup header, for boot_params from 0x1F1 on
  std::span<const std::byte> code;    // protected-mode kernel
  Gpa1 load;                          // where the code goes
  Gpa1 end;                           // end of what the kernel needs before it reads the map
  Gpa1 initrd;                        // page aligned
  std::uint64_t initrd_size = 0;      // all initrds, each padded to 4 bytes; 0: none
};

[[nodiscard]] Result<LinuxPlan, LoadError> plan_linux(const BootRequest& request);

// One entry of boot_params.e820_table.
struct E820Entry {
  std::uint32_t base_low, base_high, size_low, size_high, type;
};
static_assert(sizeof(E820Entry) == 20);

namespace detail {

constexpr std::uint64_t padded(std::uint64_t size) {
  return align_up(size, 4);
}

// Identity map of the first 4 GiB in 2 MiB pages.
template <class M>
void write_identity_map(GuestWriter<M>& writer, Gpa1 at) {
  constexpr std::uint64_t kTable = 0x3;       // present, writable
  constexpr std::uint64_t kLargePage = 0x83;  // the same, 2 MiB page
  const Gpa1 pdpt = at + kPageSize;
  writer.zero(at, 2 * kPageSize);
  writer.value(at, pdpt.value() | kTable);
  for (std::uint64_t gib = 0; gib < 4; ++gib) {
    const Gpa1 directory = pdpt + (gib + 1) * kPageSize;
    writer.value(pdpt + gib * 8, directory.value() | kTable);
    for (std::uint64_t i = 0; i < 512; ++i) {
      writer.value(directory + i * 8, (gib * kGiB + i * 2 * kMiB) | kLargePage);
    }
  }
}

template <class M>
void write_boot_params(GuestWriter<M>& writer, const LinuxPlan& plan, const BootRequest& request) {
  const Gpa1 params = kLinuxBootParams;
  writer.zero(params, kPageSize);
  writer.bytes(params + 0x1F1, plan.header);
  writer.value(params + 0x1FA, std::uint16_t{0xFFFF});  // vid_mode: normal
  writer.value(params + 0x210, std::uint8_t{0xFF});     // type_of_loader: no assigned number
  writer.value(params + 0x214, truncate<std::uint32_t>(plan.load.value()));
  if (plan.initrd_size != 0) {
    writer.value(params + 0x218, truncate<std::uint32_t>(plan.initrd.value()));
    writer.value(params + 0x21C, truncate<std::uint32_t>(plan.initrd_size));
  }
  writer.value(params + 0x228, truncate<std::uint32_t>(kLinuxCommandLine.value()));
  writer.value(params + 0x070, request.rsdp.value());  // acpi_rsdp_addr

  const std::uint64_t above_1m = request.layout.low_ram_end() - Gpa1{kMiB};
  writer.value(params + 0x1E0, truncate<std::uint32_t>(above_1m / kKiB));  // alt_mem_k
  std::uint8_t entries = 0;
  for (const MemoryMapEntry& entry : request.layout.map()) {
    const E820Entry e820{
        truncate<std::uint32_t>(entry.base.value()),
        truncate<std::uint32_t>(entry.base.value() >> 32), truncate<std::uint32_t>(entry.size),
        truncate<std::uint32_t>(entry.size >> 32), static_cast<std::uint32_t>(entry.type)};
    writer.value(params + 0x2D0 + entries * sizeof(E820Entry), e820);
    ++entries;
  }
  writer.value(params + 0x1E8, entries);
}

}  // namespace detail

// Puts a bzImage with its initrds (joined, as GRUB does) and command line into the guest's memory
// and answers the boot CPU's start state: the 64-bit boot protocol where the kernel offers it, else
// the 32-bit one (boot.rst, "64-bit Boot Protocol", "32-bit Boot Protocol"). After an error the
// guest's memory is undefined.
template <PhysicalMemory<Gpa1> M>
[[nodiscard]] Result<BootState, LoadError> load_linux(M& memory, const BootRequest& request) {
  const Result<LinuxPlan, LoadError> planned = plan_linux(request);
  if (!planned) {
    return Err{planned.error()};
  }
  const LinuxPlan& plan = planned.value();
  GuestWriter<M> writer(memory);
  writer.bytes(plan.load, plan.code);
  Gpa1 at = plan.initrd;
  for (const BootModule& module : request.modules) {
    const std::uint64_t size = module.bytes.size();
    writer.bytes(at, module.bytes);
    writer.zero(at + size, detail::padded(size) - size);
    at += detail::padded(size);
  }
  writer.text(kLinuxCommandLine, request.command_line);
  detail::write_boot_params(writer, plan, request);
  writer.value(kLinuxGdt, plan.entry64 ? kBootGdtLong : kBootGdtProtected);

  BootState state;
  if (plan.entry64) {
    detail::write_identity_map(writer, kLinuxPageTables);
    state = flat_long_state(kLinuxGdt.value(), kLinuxPageTables.value(), plan.load.value() + 0x200);
  } else {
    state = flat_protected_state(kLinuxGdt.value(), plan.load.value());
  }
  state.gprs[Gpr::kRsi] = kLinuxBootParams.value();
  state.gprs[Gpr::kRsp] = kLinuxStack.value();
  if (const auto status = writer.status(); !status) {
    return Err{status.error()};
  }
  return state;
}

}  // namespace archelon::guest
