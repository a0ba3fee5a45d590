#include "hv/msr_bitmap.hpp"

#include <cstring>

#include "hv/arch/msr_policy.hpp"
#include "hv/system.hpp"
#include "vmx/bitmaps.hpp"

namespace archelon::hv {

Hpa make_l0_msr_bitmap() {
  const Hpa frame = must_allocate_frame();
  auto& bitmap = *reinterpret_cast<vmx::BitmapPage*>(system().memory.pointer(frame));
  bitmap.fill(~std::uint64_t{0});
  arch::for_each_open_msr(
      system().msr_config, [&](std::uint32_t index, bool read_exits, bool write_exits) {
        const bool known =
            vmx::set_msr_intercept(bitmap, index, vmx::MsrAccess::kRead, read_exits) &&
            vmx::set_msr_intercept(bitmap, index, vmx::MsrAccess::kWrite, write_exits);
        ARCHELON_ASSERT(known);
      });
  for (std::size_t word = 0; word < bitmap.size(); ++word) {
    if (bitmap[word] != ~std::uint64_t{0}) {
      ARCHELON_ASSERT(system().l0_msr_bitmap_open.push_back(static_cast<std::uint16_t>(word)));
    }
  }
  return frame;
}

}  // namespace archelon::hv
