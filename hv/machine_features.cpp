#include "hv/machine_features.hpp"

#include "hv/arch/cr.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hv {
namespace {

constinit MachineFeatures g_features{};

}  // namespace

const MachineFeatures& machine_features() { return g_features; }

void enable_xsave() {
  if (g_features.xsave) {
    hw::write_cr4(hw::read_cr4() | arch::cr4::kOsxsave);
  }
}

void read_machine_features() {
  constexpr std::uint32_t kXsaveBit = 1u << 26;   // 01H:ECX
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
}

}  // namespace archelon::hv
