#pragma once

#include <cstdint>

#include "drivers/font.hpp"
#include "drivers/text_screen.hpp"
#include "hv/base/address.hpp"
#include "hv/hw/direct_map.hpp"

namespace archelon::drivers {

// A screen that somebody else has set up: VGA text memory or a linear framebuffer with 15 to 32
// bits per pixel, mapped as device memory.
class HwScreen {
 public:
  constexpr HwScreen() = default;

  // Character cells of two bytes: character and attribute.
  static HwScreen text(Hpa base, std::uint32_t pitch, std::uint32_t columns, std::uint32_t rows) {
    HwScreen screen;
    screen.base_ = base;
    screen.pitch_ = pitch;
    screen.columns_ = columns;
    screen.rows_ = rows;
    return screen;
  }

  static HwScreen pixels(Hpa base, std::uint32_t pitch, std::uint32_t width, std::uint32_t height,
                         std::uint32_t bytes_per_pixel, const PixelFormat& format) {
    constexpr std::uint32_t kLargeScreen = 2560;  // from here on characters are twice as large
    HwScreen screen;
    screen.base_ = base;
    screen.pitch_ = pitch;
    screen.bytes_per_pixel_ = bytes_per_pixel;
    screen.scale_ = width >= kLargeScreen ? 2 : 1;
    screen.columns_ = width / (kGlyphWidth * screen.scale_);
    screen.rows_ = height / (kGlyphHeight * screen.scale_);
    screen.colour_ = text_colour(format);
    return screen;
  }

  [[nodiscard]] std::uint32_t columns() const { return columns_; }
  [[nodiscard]] std::uint32_t rows() const { return rows_; }
  [[nodiscard]] bool is_pixels() const { return bytes_per_pixel_ != 0; }

  void draw(std::uint32_t column, std::uint32_t row, char c) const {
    if (!is_pixels()) {
      constexpr std::uint16_t kLightGrey = 0x0700;
      store<std::uint16_t>(std::uint64_t{row} * pitch_ + column * 2,
                           static_cast<std::uint16_t>(kLightGrey | static_cast<unsigned char>(c)));
      return;
    }
    const auto pixel_rows = glyph(c);
    for (std::uint32_t y = 0; y < kGlyphHeight * scale_; ++y) {
      std::uint64_t at = (std::uint64_t{row} * kGlyphHeight * scale_ + y) * pitch_ +
                         std::uint64_t{column} * kGlyphWidth * scale_ * bytes_per_pixel_;
      for (std::uint32_t x = 0; x < kGlyphWidth * scale_; ++x, at += bytes_per_pixel_) {
        const bool on = (pixel_rows[y / scale_] & (0x80U >> (x / scale_))) != 0;
        put_pixel(at, on ? colour_ : 0);
      }
    }
  }

 private:
  template <class T>
  void store(std::uint64_t offset, T value) const {
    *hw::to_pointer<volatile T>(base_ + offset) = value;
  }
  void put_pixel(std::uint64_t at, std::uint32_t colour) const {
    switch (bytes_per_pixel_) {
      case 4:
        store<std::uint32_t>(at, colour);
        return;
      case 3:
        store<std::uint16_t>(at, static_cast<std::uint16_t>(colour));
        store<std::uint8_t>(at + 2, static_cast<std::uint8_t>(colour >> 16));
        return;
      default:
        store<std::uint16_t>(at, static_cast<std::uint16_t>(colour));
        return;
    }
  }

  Hpa base_;
  std::uint32_t pitch_ = 0;
  std::uint32_t bytes_per_pixel_ = 0;  // 0: text
  std::uint32_t columns_ = 0;
  std::uint32_t rows_ = 0;
  std::uint32_t scale_ = 1;
  std::uint32_t colour_ = 0;
};
static_assert(TextSurface<HwScreen>);

}  // namespace archelon::drivers
