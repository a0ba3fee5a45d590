#include "hv/boot_information.hpp"

#include <span>

#include "hv/base/log.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/image.hpp"
#include "hv/machine.hpp"

namespace archelon::hv {
namespace {

constinit Machine g_machine;
constexpr std::uint64_t kStartMapped = std::uint64_t{4} << 30;  // what boot/start.asm maps
// The real-mode interrupt vectors and the BIOS data area live in the first page.
constexpr Hpa kFirstPage{kPageSize};

// The boot information at `address`, as long as it says it is; empty where it does not make sense.
std::span<const std::byte> boot_information_at(Hpa address) {
  constexpr std::size_t kHeaderSize = 8;
  if (!address.is_aligned(8) || address == Hpa()) {
    return {};
  }
  const auto* bytes = hw::to_pointer<const std::byte>(address);
  const auto size = boot::multiboot2_total_size({bytes, kHeaderSize});
  if (!size || *size > kStartMapped - address.value()) {
    return {};
  }
  return {bytes, *size};
}

void reserve_what_is_in_use(Hpa boot_information, std::uint64_t size) {
  boot::MemoryMap& memory = g_machine.memory;
  memory.reserve(Hpa(), kFirstPage);
  memory.reserve(boot_information, boot_information + size);
  const hw::HvaRange image = hw::image_range();
  memory.reserve(hw::image_base(), hw::image_base() + (image.end - image.start));
  for (const boot::BootModule& module : g_machine.boot.modules) {
    memory.reserve(module.start, module.end);
  }
}

}  // namespace

Machine& machine() {
  return g_machine;
}

bool read_boot_information(std::uint32_t magic, Hpa address) {
  boot::BootInfo& info = g_machine.boot;
  if (magic != boot::kMultiboot2Magic) {
    log_error("not started by a multiboot2 loader: EAX is {:#x}, should be {:#x}", magic,
              boot::kMultiboot2Magic);
    return false;
  }
  const std::span<const std::byte> bytes = boot_information_at(address);
  const auto parsed = boot::parse_multiboot2(magic, bytes, info);
  if (!parsed) {
    log_error("boot information at {}: {} (tag {}, offset {})", address, parsed.error().text,
              parsed.error().tag_type, parsed.error().offset);
    return false;
  }
  for (const boot::BootProblem& problem : info.problems) {
    log_warning("boot information: {} (tag {}, offset {})", problem.text, problem.tag_type,
                problem.offset);
  }
  g_machine.options = boot::parse_command_line(info.command_line);
  set_log_level(g_machine.options.log_level.value_or(boot::kDefaultLogLevel));
  for (const boot::CommandLineProblem& problem : g_machine.options.problems) {
    log_warning("command line: {}: {}", problem.argument, problem.text);
  }
  if (!boot::build_memory_map(info, g_machine.memory)) {
    log_error("the loader names no usable memory");
    return false;
  }
  reserve_what_is_in_use(address, bytes.size());
  return true;
}

}  // namespace archelon::hv
