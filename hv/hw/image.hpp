#pragma once

#include "hv/base/address.hpp"

namespace archelon::hw {

struct HvaRange {
  Hva start;
  Hva end;
};

// The image's parts as linker.ld lays them out, each page aligned.
[[nodiscard]] HvaRange image_range();
[[nodiscard]] HvaRange image_text();
[[nodiscard]] HvaRange image_rodata();
[[nodiscard]] HvaRange image_data();  // .data and .bss

}  // namespace archelon::hw
