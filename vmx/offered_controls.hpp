#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vmx/controls.hpp"

namespace archelon::vmx {

// One control bit and whether L1 may have it: the data behind L1's capability MSRs. A control that
// is not offered is not half there: L1 sees it as not existing and an entry that sets it fails.
struct OfferedControl {
  ControlWord word;
  std::uint64_t mask;
  bool offered;
  // How it is composed, or why it is not offered.
  std::string_view reason;
};

// Every control bit that has a name, each once.
[[nodiscard]] std::span<const OfferedControl> offered_controls();

}  // namespace archelon::vmx
