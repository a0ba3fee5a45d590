#pragma once

#include <cstdint>

#include "hv/arch/msr_policy.hpp"
#include "hv/base/address.hpp"
#include "hv/base/static_vector.hpp"
#include "hv/clock.hpp"
#include "hv/host_memory.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/spinlock.hpp"
#include "mmu/ept_entry.hpp"
#include "mmu/frames.hpp"
#include "vmx/capabilities.hpp"
#include "vmx/field_set.hpp"

namespace archelon::hv {

class Vm;
class Vcpu;

inline constexpr std::size_t kMaxVms = 16;
inline constexpr std::size_t kMaxVcpusPerCpu = 256;  // every one there can be

using Frames = mmu::FrameAllocator<HostMemory>;

// Takes the lock around the machine's frames for one allocation. A FrameSource.
class LockedFrames {
 public:
  [[nodiscard]] std::optional<Hpa> allocate();
  void free(Hpa frame);
};

// What the whole of L0 shares. Filled at boot; after that only the members with a lock change.
struct System {
  HostMemory memory{Hva(hw::kDirectMapBase)};
  hw::Spinlock frames_lock;
  Frames frames{memory};
  mmu::ept::Features ept_features;  // of EPT01 and EPT02
  Clock clock;
  std::uint64_t boot_seconds = 0;  // wall clock (Unix time) at clock zero
  unsigned cpu_count = 1;
  unsigned physical_bits = 36;  // MAXPHYADDR

  // VMX of this machine; vmx_missing() says by name why there is none.
  bool vmx_usable = false;
  vmx::Capabilities capabilities{};
  std::uint32_t l0_pin = 0, l0_primary = 0, l0_secondary = 0, l0_exit = 0, l0_entry = 0;
  arch::MsrConfig msr_config;
  std::uint64_t offered_cr4 = 0;  // CR4 bits that a VM may set: those of what its CPUID offers
  Hpa l0_msr_bitmap;
  StaticVector<std::uint16_t, 64> l0_msr_bitmap_open;  // its 64-bit words that are not all ones
  // What L1 is shown.
  vmx::Capabilities l1_capabilities{};
  vmx::FieldSet l1_fields;

  StaticVector<Vm*, kMaxVms> vms;
};

System& system();

// A zeroed 4 KiB frame for L0's own use; ends L0 when there is none (boot time only).
[[nodiscard]] Hpa must_allocate_frame();
// The same, or nothing: for what a guest can cause.
[[nodiscard]] std::optional<Hpa> allocate_zeroed_frame();
// Zeroed contiguous memory for an object of L0, 4 KiB aligned; nullptr where there is none.
[[nodiscard]] void* allocate_object(std::size_t bytes);

template <class T, class... Args>
[[nodiscard]] T* make_object(Args&&... args) {
  void* at = allocate_object(sizeof(T));
  return at == nullptr ? nullptr : new (at) T(static_cast<Args&&>(args)...);
}

// Nanoseconds since boot.
[[nodiscard]] std::uint64_t now_ns();

}  // namespace archelon::hv
