#include "hv/machine_features.hpp"

#include "hv/arch/cr.hpp"
#include "hv/arch/xsave.hpp"
#include "hv/base/log.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hv {
namespace {

constinit MachineFeatures g_features{};

// CPUID.0DH.1:EBX is the compacted size for what XCR0 enables now.
[[nodiscard]] bool compaction_adds_up(std::uint64_t components) {
  const std::uint64_t before = hw::xgetbv(0);
  hw::xsetbv(0, components);
  const std::uint32_t told = hw::cpuid(0xd, 1).ebx;
  hw::xsetbv(0, before);
  return told == arch::compacted_xsave_size(
                     components, [](std::uint32_t component) { return hw::cpuid(0xd, component); });
}

}  // namespace

const MachineFeatures& machine_features() { return g_features; }

void enable_xsave() {
  if (g_features.xsave) {
    hw::write_cr4(hw::read_cr4() | arch::cr4::kOsxsave);
  }
}

void read_machine_features() {
  constexpr std::uint32_t kXsaveBit = 1u << 26;   // 01H:ECX
  constexpr std::uint32_t kXsavecBit = 1u << 1;   // 0DH.1:EAX
  constexpr std::uint32_t kXsavesBit = 1u << 3;   // 0DH.1:EAX
  constexpr std::uint32_t kRdtscpBit = 1u << 27;  // 80000001H:EDX
  g_features.xsave = (hw::cpuid(1).ecx & kXsaveBit) != 0;
  g_features.rdtscp =
      hw::cpuid(0x80000000).eax >= 0x80000001 && (hw::cpuid(0x80000001).edx & kRdtscpBit) != 0;
  if (g_features.xsave) {
    const auto leaf = hw::cpuid(0xd, 0);
    g_features.xcr0_supported = (std::uint64_t{leaf.edx} << 32) | leaf.eax;
    g_features.xsave_size = leaf.ecx;
    g_features.xsaves = (hw::cpuid(0xd, 1).eax & kXsavesBit) != 0;
  }
  enable_xsave();
  if (g_features.xsave && (hw::cpuid(0xd, 1).eax & (kXsavecBit | kXsavesBit)) != 0) {
    g_features.compaction_sound = compaction_adds_up(g_features.xcr0_supported);
    if (!g_features.compaction_sound) {
      log_info("CPU: what it says of XSAVEC's format does not add up; VMs do not get it");
    }
  }
}

}  // namespace archelon::hv
