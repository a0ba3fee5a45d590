#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/memory.hpp"
#include "vmx/vmcs12.hpp"

namespace archelon::vmx {

// The VMCS12s that one vCPU has made active and not cleared, as far as they fit: the least recently
// loaded one goes back to L1's memory when another needs its slot. A slot's number names whatever
// the binding keeps beside a VMCS12 (its VMCS02). `release(Vmcs12&)` is called before a VMCS12
// leaves its slot: it fetches what lives in VMCS02 and gives the VMCS02 up.
template <std::size_t N>
class Vmcs12Cache {
  static_assert(N >= 2);

 public:
  constexpr Vmcs12Cache() = default;

  // The VMCS12 of `region`, or null where it is not here.
  [[nodiscard]] Vmcs12* find(Gpa1 region) {
    for (std::size_t i = 0; i < N; ++i) {
      if (used_[i] != 0 && items_[i].region() == region) {
        return &items_[i];
      }
    }
    return nullptr;
  }

  // VMPTRLD: the VMCS12 of `region`, loaded from L1's memory unless it is here. It stays until
  // N - 1 others were loaded after it.
  template <PhysicalMemory<Gpa1> M, class F>
  [[nodiscard]] Vmcs12& load(M& memory, Gpa1 region, F&& release) {
    Vmcs12* item = find(region);
    if (item == nullptr) {
      const std::size_t slot = oldest();
      if (used_[slot] != 0) {
        give_back(memory, slot, release);
      }
      item = &items_[slot];
      item->load(memory, region);
    }
    used_[slot_of(*item)] = ++clock_;
    return *item;
  }

  // VMCLEAR: makes the VMCS of `region` clear, with all its data in L1's memory.
  template <PhysicalMemory<Gpa1> M, class F>
  void clear(M& memory, Gpa1 region, F&& release) {
    if (Vmcs12* const item = find(region)) {
      item->set_launch_state(LaunchState::kClear);
      give_back(memory, slot_of(*item), release);
      return;
    }
    // Not active here. Its data stays as it is; a region that is not RAM has none.
    static_cast<void>(write_value(memory, region + kLaunchStateOffset, LaunchState::kClear));
  }

  // Puts every VMCS12 back into L1's memory (VMXOFF).
  template <PhysicalMemory<Gpa1> M, class F>
  void give_back_all(M& memory, F&& release) {
    for (std::size_t i = 0; i < N; ++i) {
      if (used_[i] != 0) {
        give_back(memory, i, release);
      }
    }
  }

  // Forgets them all; L1's memory stays as it is (reset).
  void drop_all() { used_ = {}; }

  [[nodiscard]] std::size_t slot_of(const Vmcs12& item) const {
    const auto slot = static_cast<std::size_t>(&item - items_.data());
    ARCHELON_ASSERT(slot < N);
    return slot;
  }
  [[nodiscard]] static constexpr std::size_t capacity() { return N; }

 private:
  [[nodiscard]] std::size_t oldest() const {
    std::size_t slot = 0;
    for (std::size_t i = 1; i < N; ++i) {
      if (used_[i] < used_[slot]) {
        slot = i;
      }
    }
    return slot;
  }

  template <class M, class F>
  void give_back(M& memory, std::size_t slot, F&& release) {
    release(items_[slot]);
    // L1 may have taken the region's memory away; then the data is lost, as on a machine.
    static_cast<void>(items_[slot].store(memory));
    used_[slot] = 0;
  }

  std::array<Vmcs12, N> items_{};
  std::array<std::uint64_t, N> used_{};  // when loaded; 0 for a free slot
  std::uint64_t clock_ = 0;
};

}  // namespace archelon::vmx
