#pragma once

#include <cstddef>
#include <cstring>
#include <span>

#include "hv/base/address.hpp"

namespace archelon::hv {

// The machine's RAM through L0's direct map. Satisfies PhysicalMemory over Hpa for addresses that
// L0 itself chose (frames it allocated): there is nothing to refuse.
class HostMemory {
 public:
  constexpr HostMemory() = default;
  constexpr explicit HostMemory(Hva direct_map) : direct_map_(direct_map) {}

  [[nodiscard]] std::byte* pointer(Hpa address) const {
    return reinterpret_cast<std::byte*>((direct_map_ + address.value()).value());
  }
  [[nodiscard]] bool read(Hpa address, std::span<std::byte> out) const {
    std::memcpy(out.data(), pointer(address), out.size());
    return true;
  }
  [[nodiscard]] bool write(Hpa address, std::span<const std::byte> in) const {
    std::memcpy(pointer(address), in.data(), in.size());
    return true;
  }

 private:
  Hva direct_map_;
};

}  // namespace archelon::hv
