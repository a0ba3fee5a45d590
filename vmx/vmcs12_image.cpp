#include "vmx/vmcs12_image.hpp"

namespace archelon::vmx {

void Vmcs12Image::sanitize() {
  if (magic != kMagic) {
    magic = kMagic;
    launch_state = LaunchState::kClear;
    reserved = 0;
    values.fill(0);
    return;
  }
  if (launch_state != LaunchState::kLaunched) {
    launch_state = LaunchState::kClear;
  }
  reserved = 0;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    values[i] = cut_to_width(kFieldNames[i].encoding, values[i]);
  }
}

}  // namespace archelon::vmx
