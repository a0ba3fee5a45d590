#pragma once

#include <cstdint>

namespace archelon::drivers {

// Converts ticks of one clock into ticks of another without a division: a multiplication by a
// fixed-point ratio with 32 fractional bits.
class TickScale {
 public:
  constexpr TickScale() = default;

  // `to` ticks of the target clock pass in `from` ticks of the source clock (two frequencies, or
  // two measured counts; both below 2^63, the ratio below 2^32). `from` 0 converts all to 0.
  constexpr TickScale(std::uint64_t to, std::uint64_t from) {
    if (from == 0) {
      return;
    }
    ratio_ = to / from;
    std::uint64_t rest = to % from;
    for (unsigned i = 0; i < kFractionBits; ++i) {
      rest <<= 1;
      ratio_ <<= 1;
      if (rest >= from) {
        rest -= from;
        ratio_ |= 1;
      }
    }
  }

  // The number of target ticks in `ticks` source ticks, rounded down; all ones where it does not
  // fit.
  [[nodiscard]] constexpr std::uint64_t convert(std::uint64_t ticks) const {
    __extension__ using Wide = unsigned __int128;
    const Wide product = (static_cast<Wide>(ticks) * ratio_) >> kFractionBits;
    return (product >> 64) != 0 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(product);
  }

  [[nodiscard]] constexpr bool valid() const { return ratio_ != 0; }

 private:
  static constexpr unsigned kFractionBits = 32;
  std::uint64_t ratio_ = 0;
};

}  // namespace archelon::drivers
