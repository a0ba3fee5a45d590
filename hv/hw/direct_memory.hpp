#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "hv/hw/direct_map.hpp"

namespace archelon::hw {

// The machine's memory through the direct map, for L0's own use: frames of the allocator, tables,
// modules. Refuses what lies above `end`; below it the caller answers for asking only for RAM.
class DirectMemory {
 public:
  constexpr explicit DirectMemory(Hpa end) : end_(end) {}

  void set_end(Hpa end) { end_ = end; }

  [[nodiscard]] bool read(Hpa address, std::span<std::byte> out) const {
    if (!holds(address, out.size())) {
      return false;
    }
    std::memcpy(out.data(), to_pointer<const std::byte>(address), out.size());
    return true;
  }
  [[nodiscard]] bool write(Hpa address, std::span<const std::byte> in) const {
    if (!holds(address, in.size())) {
      return false;
    }
    std::memcpy(to_pointer<std::byte>(address), in.data(), in.size());
    return true;
  }

 private:
  [[nodiscard]] bool holds(Hpa address, std::size_t size) const {
    return address <= end_ && size <= end_ - address;
  }

  Hpa end_;
};
static_assert(PhysicalMemory<DirectMemory, Hpa>);

}  // namespace archelon::hw
