#pragma once

#include <compare>
#include <cstdint>

namespace archelon {

inline constexpr std::uint64_t kPageSize = 4096;

// An address in one address space. Distinct spaces are distinct types: one never converts into
// another, nor to or from an integer, without being asked to by name.
template <class Space>
class Address {
 public:
  constexpr Address() = default;
  constexpr explicit Address(std::uint64_t value) : value_(value) {}

  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr Address page() const { return Address(value_ & ~(kPageSize - 1)); }
  [[nodiscard]] constexpr std::uint64_t page_offset() const { return value_ & (kPageSize - 1); }
  [[nodiscard]] constexpr bool is_aligned(std::uint64_t power_of_two) const {
    return (value_ & (power_of_two - 1)) == 0;
  }
  [[nodiscard]] constexpr Address align_down(std::uint64_t power_of_two) const {
    return Address(value_ & ~(power_of_two - 1));
  }

  constexpr Address operator+(std::uint64_t bytes) const { return Address(value_ + bytes); }
  constexpr Address operator-(std::uint64_t bytes) const { return Address(value_ - bytes); }
  constexpr std::uint64_t operator-(Address other) const { return value_ - other.value_; }
  constexpr Address& operator+=(std::uint64_t bytes) {
    value_ += bytes;
    return *this;
  }
  constexpr auto operator<=>(const Address&) const = default;

 private:
  std::uint64_t value_ = 0;
};

using Gva = Address<struct GvaSpace>;    // linear address of the guest in question
using Gpa1 = Address<struct Gpa1Space>;  // physical address as L1 sees it
using Gpa2 = Address<struct Gpa2Space>;  // physical address as L2 sees it
using Hpa = Address<struct HpaSpace>;    // physical address of the machine
using Hva = Address<struct HvaSpace>;    // linear address in L0's own page tables

}  // namespace archelon
