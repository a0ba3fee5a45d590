#pragma once

#include <cstddef>
#include <cstdint>

namespace archelon::hv {

// Features of the machine's CPUs that L0 itself depends on when it swaps guest state.
struct MachineFeatures {
  bool xsave = false;
  bool xsaves = false;
  // What CPUID says of the compacted format of XSAVEC and XSAVES adds up. Where it does not, the
  // CPU (an emulator, in practice) cannot be trusted with it, and VMs are not offered it.
  bool compaction_sound = false;
  bool rdtscp = false;
  std::uint64_t xcr0_supported = 0;  // CPUID 0DH
  std::size_t xsave_size = 0;        // bytes, for all of xcr0_supported
};

// Read on the boot CPU. Enables CR4.OSXSAVE where there is XSAVE; every CPU calls enable_xsave().
void read_machine_features();
void enable_xsave();
[[nodiscard]] const MachineFeatures& machine_features();

}  // namespace archelon::hv
