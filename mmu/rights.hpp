#pragma once

#include <cstdint>

namespace archelon::mmu {

// A set of access rights, or the set of rights which an access needs. Execution is two rights, for
// supervisor-mode and user-mode linear addresses; without mode-based execute control they always
// come and go together.
class Rights {
 public:
  constexpr Rights() = default;

  // As bits: 1 read, 2 write, 4 execute in supervisor mode, 8 in user mode.
  [[nodiscard]] static constexpr Rights from_bits(unsigned bits) { return Rights(bits & 15); }
  [[nodiscard]] constexpr unsigned bits() const { return bits_; }

  [[nodiscard]] constexpr bool contains(Rights needed) const {
    return (bits_ & needed.bits_) == needed.bits_;
  }
  [[nodiscard]] constexpr bool intersects(Rights other) const { return (bits_ & other.bits_) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr Rights without(Rights other) const {
    return Rights(bits_ & ~unsigned{other.bits_});
  }

  friend constexpr Rights operator&(Rights a, Rights b) {
    return Rights(unsigned{a.bits_} & b.bits_);
  }
  friend constexpr Rights operator|(Rights a, Rights b) {
    return Rights(unsigned{a.bits_} | b.bits_);
  }
  constexpr bool operator==(const Rights&) const = default;

  static const Rights kNone;
  static const Rights kRead;
  static const Rights kWrite;
  static const Rights kExecuteSupervisor;
  static const Rights kExecuteUser;
  static const Rights kExecute;  // in either mode
  static const Rights kReadWrite;
  static const Rights kAll;

 private:
  constexpr explicit Rights(unsigned bits) : bits_(static_cast<std::uint8_t>(bits)) {}

  std::uint8_t bits_ = 0;
};

inline constexpr Rights Rights::kNone{0};
inline constexpr Rights Rights::kRead{1};
inline constexpr Rights Rights::kWrite{2};
inline constexpr Rights Rights::kExecuteSupervisor{4};
inline constexpr Rights Rights::kExecuteUser{8};
inline constexpr Rights Rights::kExecute{12};
inline constexpr Rights Rights::kReadWrite{3};
inline constexpr Rights Rights::kAll{15};

}  // namespace archelon::mmu
