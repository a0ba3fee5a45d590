#include "hv/hw/direct_map.hpp"

#include "hv/base/assert.hpp"
#include "hv/hw/image.hpp"

namespace archelon::hw {
namespace {

constinit Hpa g_image_base{0x200000};
constexpr std::uint64_t kDirectMapEnd = kDirectMapBase + (std::uint64_t{1} << 46);

}  // namespace

void set_image_base(Hpa base) {
  g_image_base = base;
}
Hpa image_base() {
  return g_image_base;
}

Hpa to_hpa(Hva address) {
  if (address.value() >= kDirectMapBase && address.value() < kDirectMapEnd) {
    return Hpa(address.value() - kDirectMapBase);
  }
  ARCHELON_ASSERT(address >= image_range().start && address < image_range().end);
  return g_image_base + (address.value() - kImageVma);
}

}  // namespace archelon::hw
