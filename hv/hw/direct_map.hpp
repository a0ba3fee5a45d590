#pragma once

#include <cstdint>

#include "hv/base/address.hpp"

namespace archelon::hw {

// All RAM is mapped here, read-write and never executable: Hva = base + Hpa. Device memory appears
// here too, uncached, once map_device() (hv/hw/paging.hpp) was asked for it.
inline constexpr std::uint64_t kDirectMapBase = 0xffff800000000000;
// The image's linear base (linker.ld). Its physical base is the loader's choice.
inline constexpr std::uint64_t kImageVma = 0xffffffff80200000;

[[nodiscard]] constexpr Hva to_hva(Hpa address) {
  return Hva(kDirectMapBase + address.value());
}

template <class T>
[[nodiscard]] T* to_pointer(Hpa address) {
  return reinterpret_cast<T*>(to_hva(address).value());
}

// Where the loader put the image. Set once by kernel_main before anything asks for an address.
void set_image_base(Hpa base);
[[nodiscard]] Hpa image_base();

// The physical address of an object in the image or in the direct map. Stacks, which have their own
// mapping with guard pages, are in neither: a program error that panics.
[[nodiscard]] Hpa to_hpa(Hva address);

template <class T>
[[nodiscard]] Hpa to_hpa(T* pointer) {
  return to_hpa(Hva(reinterpret_cast<std::uint64_t>(pointer)));
}

}  // namespace archelon::hw
