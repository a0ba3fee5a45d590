#include "hv/arch/xsave.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "hv/arch/cpuid.hpp"

using namespace archelon;
using namespace archelon::arch;

namespace {

// Components of a Skylake server with their standard offsets, and two supervisor states which the
// compacted format aligns.
CpuidResult leaf(std::uint32_t component) {
  static const std::map<std::uint32_t, CpuidResult> kLeaves = {
      {2, {256, 576, 0, 0}},   {5, {64, 1088, 0, 0}}, {6, {512, 1152, 0, 0}},
      {7, {1024, 1664, 0, 0}}, {9, {8, 2688, 0, 0}},  {8, {128, 0, 1 | 2, 0}},
      {11, {16, 0, 1 | 2, 0}}};
  const auto found = kLeaves.find(component);
  return found == kLeaves.end() ? CpuidResult{} : found->second;
}

}  // namespace

TEST_CASE("the standard format ends where its last component does") {
  CHECK(standard_xsave_size(bit(0) | bit(1), leaf) == 576);
  CHECK(standard_xsave_size(0x7, leaf) == 832);
  CHECK(standard_xsave_size(0x207, leaf) == 2696);
  CHECK(standard_xsave_size(0x2e7, leaf) == 2696);
}

TEST_CASE("the compacted format leaves no gaps but for alignment") {
  CHECK(compacted_xsave_size(bit(0) | bit(1), leaf) == 576);
  CHECK(compacted_xsave_size(bit(9), leaf) == 584);
  CHECK(compacted_xsave_size(bit(9) | bit(11), leaf) == 640 + 16);
  CHECK(compacted_xsave_size(bit(8) | bit(9), leaf) == 576 + 128 + 8);
  CHECK(compacted_xsave_size(0x2e7, leaf) == 576 + 256 + 64 + 512 + 1024 + 8);
  CHECK(compacted_xsave_size(~std::uint64_t{0}, leaf) ==
        ((576 + 256 + 64 + 512 + 1024 + 128 + 8 + 63) / 64 * 64) + 16);
}
