#pragma once

#include <cstdint>
#include <optional>

#include "hv/host_memory.hpp"
#include "hv/hw/spinlock.hpp"
#include "hv/system.hpp"
#include "hv/vm_memory.hpp"
#include "mmu/ept_build.hpp"
#include "mmu/shadow_ept.hpp"

namespace archelon::hv::nested {

using Ept01 = mmu::EptBuilder<HostMemory, LockedFrames>;
using Shadow = mmu::ShadowEpt<VmMemory, HostMemory, Ept01>;

// The shadow EPTs of one VM with their lock. Made when its L1 first runs an L2 under EPT12.
struct VmShadow {
  hw::Spinlock lock;
  std::optional<Shadow> shadow;
  Hpa arena;
  mmu::ShadowTable* info = nullptr;
  std::uint64_t epoch = 0;  // of the last flush that was asked for
};

}  // namespace archelon::hv::nested
