#include "hv/hw/image.hpp"

#include <cstdint>

extern "C" const char image_start[], image_text_end[], image_rodata_end[], image_end[];

namespace archelon::hw {
namespace {

Hva at(const char* symbol) {
  return Hva(reinterpret_cast<std::uint64_t>(symbol));
}

}  // namespace

HvaRange image_range() {
  return {at(image_start), at(image_end)};
}
HvaRange image_text() {
  return {at(image_start), at(image_text_end)};
}
HvaRange image_rodata() {
  return {at(image_text_end), at(image_rodata_end)};
}
HvaRange image_data() {
  return {at(image_rodata_end), at(image_end)};
}

}  // namespace archelon::hw
