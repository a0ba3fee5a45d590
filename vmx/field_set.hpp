#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/base/bits.hpp"
#include "vmx/fields.hpp"

namespace archelon::vmx {

// A set of VMCS fields by their place in kFieldNames.
class FieldSet {
 public:
  static constexpr std::size_t kWords = (kFieldCount + 63) / 64;

  constexpr void add(std::size_t position) { words_[position / 64] |= mask(position); }
  constexpr void remove(std::size_t position) { words_[position / 64] &= ~mask(position); }
  [[nodiscard]] constexpr bool has(std::size_t position) const {
    return (words_[position / 64] & mask(position)) != 0;
  }
  [[nodiscard]] constexpr bool empty() const {
    std::uint64_t all = 0;
    for (const std::uint64_t word : words_) {
      all |= word;
    }
    return all == 0;
  }
  constexpr void clear() { words_ = {}; }
  // Members 64 i to 64 i + 63, as bits.
  [[nodiscard]] constexpr std::uint64_t word(std::size_t i) const { return words_[i]; }

  constexpr FieldSet& operator|=(const FieldSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) {
      words_[i] |= other.words_[i];
    }
    return *this;
  }
  constexpr FieldSet& operator-=(const FieldSet& other) {
    for (std::size_t i = 0; i < kWords; ++i) {
      words_[i] &= ~other.words_[i];
    }
    return *this;
  }
  [[nodiscard]] constexpr FieldSet operator&(const FieldSet& other) const {
    FieldSet both;
    for (std::size_t i = 0; i < kWords; ++i) {
      both.words_[i] = words_[i] & other.words_[i];
    }
    return both;
  }
  constexpr bool operator==(const FieldSet&) const = default;

  // Calls f(position) for each member, lowest first.
  template <class F>
  constexpr void for_each(F f) const {
    for (std::size_t i = 0; i < kWords; ++i) {
      for (std::uint64_t rest = words_[i]; rest != 0; rest &= rest - 1) {
        f(i * 64 + static_cast<std::size_t>(__builtin_ctzll(rest)));
      }
    }
  }

 private:
  static constexpr std::uint64_t mask(std::size_t position) {
    return bit(static_cast<unsigned>(position % 64));
  }
  std::array<std::uint64_t, kWords> words_{};
};

inline constexpr FieldSet kAllFields = [] {
  FieldSet all;
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    all.add(i);
  }
  return all;
}();

// The place of a field that is known when compiling.
template <class T>
[[nodiscard]] constexpr std::size_t position_of(Field<T> field) {
  return detail::kPositions[detail::dense_number(field.encoding)];
}

}  // namespace archelon::vmx
