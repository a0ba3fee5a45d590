#include "hv/live_state.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "hv/arch/msr.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/machine_features.hpp"
#include "hv/speculation.hpp"
#include "hv/system.hpp"
#include "hv/vcpu.hpp"

namespace archelon::hv {
namespace {

// Whose state each CPU holds; only its own CPU touches an element.
constinit std::array<Vcpu*, hw::kMaxCpus> g_live{};

// XSAVE's standard format: MXCSR's place and default, so that a fresh area restores to the reset
// state (SDM vol. 1, "Legacy Region of an XSAVE Area").
constexpr std::size_t kFcwOffset = 0;
constexpr std::uint16_t kFcwReset = 0x37f;
constexpr std::size_t kMxcsrOffset = 24;
constexpr std::uint32_t kMxcsrReset = 0x1f80;

[[nodiscard]] std::size_t area_size() {
  return machine_features().xsave ? machine_features().xsave_size : 512;
}

void save_extended(Vcpu& vcpu) {
  const MachineFeatures& features = machine_features();
  if (!features.xsave) {
    hw::fxsave(vcpu.xsave_area);
    return;
  }
  vcpu.saved.xcr0 = hw::xgetbv(0);
  hw::xsetbv(0, features.xcr0_supported);
  hw::xsave(vcpu.xsave_area, features.xcr0_supported);
}

void load_extended(Vcpu& vcpu) {
  const MachineFeatures& features = machine_features();
  if (!features.xsave) {
    hw::fxrstor(vcpu.xsave_area);
    return;
  }
  hw::xsetbv(0, features.xcr0_supported);
  hw::xrstor(vcpu.xsave_area, features.xcr0_supported);
  hw::xsetbv(0, vcpu.saved.xcr0);
}

void save(Vcpu& vcpu) {
  LiveState& s = vcpu.saved;
  s.cr2 = hw::read_cr2();
  s.dr[0] = hw::read_dr<0>();
  s.dr[1] = hw::read_dr<1>();
  s.dr[2] = hw::read_dr<2>();
  s.dr[3] = hw::read_dr<3>();
  s.dr6 = hw::read_dr<6>();
  s.star = hw::rdmsr(arch::msr::kStar);
  s.lstar = hw::rdmsr(arch::msr::kLstar);
  s.cstar = hw::rdmsr(arch::msr::kCstar);
  s.fmask = hw::rdmsr(arch::msr::kFmask);
  s.kernel_gs_base = hw::rdmsr(arch::msr::kKernelGsBase);
  if (machine_features().rdtscp) {
    s.tsc_aux = hw::rdmsr(arch::msr::kTscAux);
  }
  if (system().msr_config.spec_ctrl) {
    s.spec_ctrl = hw::rdmsr(arch::msr::kSpecCtrl);
  }
  if (machine_features().xsaves) {
    s.xss = hw::rdmsr(arch::msr::kXss);
  }
  save_extended(vcpu);
}

void load_debug_registers(const LiveState& s) {
  hw::write_cr2(s.cr2);
  hw::write_dr<0>(s.dr[0]);
  hw::write_dr<1>(s.dr[1]);
  hw::write_dr<2>(s.dr[2]);
  hw::write_dr<3>(s.dr[3]);
  hw::write_dr<6>(s.dr6);
}

void load(Vcpu& vcpu) {
  const LiveState& s = vcpu.saved;
  load_debug_registers(s);
  hw::wrmsr(arch::msr::kStar, s.star);
  hw::wrmsr(arch::msr::kLstar, s.lstar);
  hw::wrmsr(arch::msr::kCstar, s.cstar);
  hw::wrmsr(arch::msr::kFmask, s.fmask);
  hw::wrmsr(arch::msr::kKernelGsBase, s.kernel_gs_base);
  if (machine_features().rdtscp) {
    hw::wrmsr(arch::msr::kTscAux, s.tsc_aux);
  }
  if (system().msr_config.spec_ctrl) {
    hw::wrmsr(arch::msr::kSpecCtrl, s.spec_ctrl);
  }
  if (machine_features().xsaves) {
    hw::wrmsr(arch::msr::kXss, s.xss);
  }
  load_extended(vcpu);
}

}  // namespace

bool prepare_live_state(Vcpu& vcpu) {
  vcpu.xsave_area = static_cast<std::byte*>(allocate_object(area_size()));
  if (vcpu.xsave_area == nullptr) {
    return false;
  }
  reset_live_state(vcpu);
  return true;
}

void reset_live_state(Vcpu& vcpu) {
  vcpu.saved = LiveState{};
  std::memset(vcpu.xsave_area, 0, area_size());
  std::memcpy(vcpu.xsave_area + kFcwOffset, &kFcwReset, sizeof(kFcwReset));
  std::memcpy(vcpu.xsave_area + kMxcsrOffset, &kMxcsrReset, sizeof(kMxcsrReset));
}

void reset_debug_registers(Vcpu& vcpu, std::uint64_t cr2, std::uint64_t dr6) {
  vcpu.saved.cr2 = cr2;
  std::ranges::fill(vcpu.saved.dr, 0);
  vcpu.saved.dr6 = dr6;
  if (g_live[hw::this_cpu().index] == &vcpu) {
    load_debug_registers(vcpu.saved);
  }
}

void load_live_state(Vcpu& vcpu) {
  Vcpu*& live = g_live[hw::this_cpu().index];
  if (live == &vcpu) {
    return;
  }
  if (live != nullptr) {
    save(*live);
  }
  load(vcpu);
  live = &vcpu;
  forget_branches();
  forget_data();
}

void forget_live_state(Vcpu& vcpu) {
  Vcpu*& live = g_live[hw::this_cpu().index];
  if (live == &vcpu) {
    live = nullptr;
  }
}

}  // namespace archelon::hv
