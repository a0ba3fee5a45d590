#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "hv/arch/segment.hpp"

namespace archelon::vmx::checks {

// A string literal as a template argument.
template <std::size_t N>
struct Text {
  std::array<char, N> chars{};
  consteval Text(const char (&literal)[N]) {  // NOLINT(*-explicit-*)
    for (std::size_t i = 0; i < N; ++i) {
      chars[i] = literal[i];
    }
  }
};

template <arch::Segment kSegment, Text kTail>
inline constexpr auto kSegmentText = [] {
  constexpr std::string_view kHead = "guest ";
  constexpr std::string_view kName = arch::name(kSegment);
  constexpr std::string_view kRest(kTail.chars.data(), kTail.chars.size() - 1);
  std::array<char, kHead.size() + kName.size() + kRest.size()> text{};
  std::size_t at = 0;
  for (const std::string_view part : {kHead, kName, kRest}) {
    for (const char character : part) {
      text[at++] = character;
    }
  }
  return text;
}();

// "guest DS" and the tail, made while compiling.
template <arch::Segment kSegment, Text kTail>
[[nodiscard]] constexpr std::string_view segment_text() {
  return {kSegmentText<kSegment, kTail>.data(), kSegmentText<kSegment, kTail>.size()};
}

}  // namespace archelon::vmx::checks
