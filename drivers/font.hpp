#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace archelon::drivers {

inline constexpr std::uint32_t kGlyphWidth = 8;
inline constexpr std::uint32_t kGlyphHeight = 16;

// The rows of a character from top to bottom, bit 7 the leftmost pixel. What is not printable ASCII
// is shown as a box.
[[nodiscard]] std::array<std::uint8_t, kGlyphHeight> glyph(char c);

// A pixel of a linear framebuffer in which the fields at `position`s are `size` bits wide: every
// field at about two thirds of its range for text, 0 for the ground.
struct PixelFormat {
  std::uint8_t red_position = 16, red_size = 8;
  std::uint8_t green_position = 8, green_size = 8;
  std::uint8_t blue_position = 0, blue_size = 8;
};
[[nodiscard]] std::uint32_t text_colour(const PixelFormat& format);

}  // namespace archelon::drivers
