#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace archelon::drivers {

// A grid that shows ASCII characters.
template <class S>
concept TextSurface = requires(const S surface, std::uint32_t column, std::uint32_t row, char c) {
  { surface.columns() } -> std::same_as<std::uint32_t>;
  { surface.rows() } -> std::same_as<std::uint32_t>;
  surface.draw(column, row, c);
};

// Running text on a surface, as a terminal without control sequences. It never reads the surface,
// which may be slow, and when the last row is full it moves up by `scroll_rows` at once, redrawing
// only what changes.
template <TextSurface S>
class TextScreen {
 public:
  static constexpr std::uint32_t kMaxColumns = 240;
  static constexpr std::uint32_t kMaxRows = 80;

  constexpr TextScreen() = default;

  // Starts on `surface`, cleared; of a larger one than the limits the upper left part is used.
  void open(S surface, std::uint32_t scroll_rows) {
    surface_ = surface;
    columns_ = std::min(surface.columns(), kMaxColumns);
    rows_ = std::min(surface.rows(), kMaxRows);
    scroll_rows_ = std::clamp<std::uint32_t>(scroll_rows, 1, std::max<std::uint32_t>(rows_, 1));
    column_ = 0;
    row_ = 0;
    for (std::uint32_t row = 0; row < rows_; ++row) {
      for (std::uint32_t column = 0; column < columns_; ++column) {
        cell(column, row) = ' ';
        surface_.draw(column, row, ' ');
      }
    }
  }
  [[nodiscard]] bool is_open() const { return columns_ != 0 && rows_ != 0; }

  void write(std::string_view text) {
    for (const char c : text) {
      put(c);
    }
  }

 private:
  void put(char c) {
    if (!is_open() || c == '\r') {
      return;
    }
    if (c == '\n') {
      next_row();
      return;
    }
    if (c == '\b') {
      column_ -= column_ != 0 ? 1 : 0;
      return;
    }
    if (column_ == columns_) {
      next_row();
    }
    show(column_++, row_, c >= ' ' && c <= '~' ? c : '?');
  }

  void next_row() {
    column_ = 0;
    if (++row_ < rows_) {
      return;
    }
    for (std::uint32_t row = 0; row < rows_; ++row) {
      for (std::uint32_t column = 0; column < columns_; ++column) {
        const std::uint32_t from = row + scroll_rows_;
        show(column, row, from < rows_ ? cell(column, from) : ' ');
      }
    }
    row_ -= scroll_rows_;
  }

  void show(std::uint32_t column, std::uint32_t row, char c) {
    if (cell(column, row) != c) {
      cell(column, row) = c;
      surface_.draw(column, row, c);
    }
  }
  char& cell(std::uint32_t column, std::uint32_t row) {
    return cells_[std::size_t{row} * kMaxColumns + column];
  }

  S surface_{};
  std::uint32_t columns_ = 0;
  std::uint32_t rows_ = 0;
  std::uint32_t scroll_rows_ = 1;
  std::uint32_t column_ = 0;
  std::uint32_t row_ = 0;
  std::array<char, std::size_t{kMaxColumns} * kMaxRows> cells_{};
};

}  // namespace archelon::drivers
