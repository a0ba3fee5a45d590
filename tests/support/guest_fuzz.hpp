#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "hv/base/assert.hpp"
#include "hv/guest/config.hpp"
#include "hv/guest/loader.hpp"
#include "hv/guest/mmio_instruction.hpp"

// What must hold for any bytes at all: the entry points of the fuzzers and of the property tests
// that damage good input. Each answers whether the input was accepted; a breach ends the process by
// an assertion.
namespace archelon::test {

// RAM that keeps nothing and only says whether a write lies within the VM's memory.
class BoundsOnlyRam {
 public:
  explicit BoundsOnlyRam(const guest::MemoryLayout& layout) : layout_(layout) {}
  bool read(Gpa1, std::span<std::byte>) { return false; }
  bool write(Gpa1 at, std::span<const std::byte> in) {
    return layout_.is_usable_ram(at, in.size());
  }

 private:
  const guest::MemoryLayout& layout_;
};

inline bool fuzz_config(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto config = std::make_unique<guest::Config>();
  guest::parse_config(text, *config);
  for (const guest::VmConfig& vm : config->vms) {
    ARCHELON_ASSERT(!vm.name.empty() && vm.name.size() <= 15);
    ARCHELON_ASSERT(guest::MemoryLayout::of(vm.memory).ok());
    ARCHELON_ASSERT(!vm.kernel.empty());
    ARCHELON_ASSERT(vm.cpus >= 1 && vm.cpus <= guest::kMaxVmCpus);
    ARCHELON_ASSERT(vm.cpu_pins.empty() || vm.cpu_pins.size() == vm.cpus);
  }
  const bool accepted = config->errors.empty();
  guest::check_against_machine(*config, {64 * guest::kMiB, 2, {}});
  ARCHELON_ASSERT(config->vms.empty());  // no module was loaded
  static_cast<void>(boot::parse_command_line(text));
  for (std::size_t i = 0; i < config->errors.size(); ++i) {
    const std::string_view line = config->errors[i];
    ARCHELON_ASSERT(line.starts_with("archelon.conf:"));
    ARCHELON_ASSERT(std::ranges::all_of(line, [](char c) { return c >= 0x20 && c <= 0x7E; }));
  }
  return accepted;
}

// The bytes as a kernel, which gets itself as a module. A kernel that is accepted was written into
// RAM alone and starts in RAM.
inline bool fuzz_kernel(std::span<const std::byte> bytes) {
  const guest::MemoryLayout layout = guest::MemoryLayout::of(128 * guest::kMiB).value();
  const guest::BootModule modules[] = {{bytes, "module"}, {{}, ""}};
  BoundsOnlyRam ram(layout);
  const auto state = guest::load_kernel(
      ram, guest::BootRequest{bytes, "command line", modules, layout, Gpa1{0xE'0000}, {}});
  if (state) {
    ARCHELON_ASSERT(layout.is_usable_ram(Gpa1{state->rip}, 1));
    ARCHELON_ASSERT(layout.is_usable_ram(Gpa1{state->gdtr.base}, state->gdtr.limit));
  } else {
    ARCHELON_ASSERT(state.error().fault != guest::LoadFault::kGuestMemory);
  }
  return state.ok();
}

// The first byte chooses the code size, the others are an instruction.
inline bool fuzz_mmio(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return false;
  }
  const auto code_size = static_cast<guest::CodeSize>(static_cast<unsigned>(bytes[0]) % 3);
  const auto decoded = guest::decode(bytes.subspan(1), code_size);
  if (!decoded) {
    return false;
  }
  ARCHELON_ASSERT(decoded->length <= bytes.size() - 1);
  ARCHELON_ASSERT(decoded->reads || decoded->writes);
  arch::Gprs gprs;
  std::uint64_t rflags = 2;
  (void)guest::linear_address(*decoded, decoded->source, gprs, 0, 0);
  const guest::MmioOutcome outcome = guest::execute(*decoded, ~std::uint64_t{0}, gprs, rflags);
  ARCHELON_ASSERT(!outcome.write || decoded->writes);
  return true;
}

}  // namespace archelon::test
