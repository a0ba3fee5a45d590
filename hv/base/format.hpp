#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "hv/base/address.hpp"

namespace archelon {

// One argument of format(): an integer, a character, a bool or a string, without its type.
class FormatArg {
 public:
  enum class Kind : std::uint8_t { kSigned, kUnsigned, kAddress, kChar, kBool, kString };

  template <std::integral T>
  constexpr FormatArg(T v)  // NOLINT(*-explicit-*)
      : kind_(std::same_as<T, bool>   ? Kind::kBool
              : std::same_as<T, char> ? Kind::kChar
              : std::is_signed_v<T>   ? Kind::kSigned
                                      : Kind::kUnsigned),
        value_(static_cast<std::uint64_t>(v)) {}
  template <class Space>
  constexpr FormatArg(Address<Space> a)  // NOLINT(*-explicit-*)
      : kind_(Kind::kAddress), value_(a.value()) {}
  constexpr FormatArg(std::string_view s) : kind_(Kind::kString), string_(s) {}  // NOLINT
  constexpr FormatArg(const char* s) : kind_(Kind::kString), string_(s) {}       // NOLINT

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  [[nodiscard]] constexpr std::string_view string() const { return string_; }

 private:
  Kind kind_;
  std::uint64_t value_ = 0;
  std::string_view string_;
};

// Writes `pattern` with its arguments into `out`, cut where `out` ends; answers what was written
// (no terminating NUL). A placeholder is {} or {:SPEC}, SPEC = [<][#][0][WIDTH][x|d|c]: `x` hex,
// `#` with 0x, `0` pads with zeros, `<` pads on the right (strings do by themselves). Addresses are
// hex with 0x unless told. {{ and }} are braces. A placeholder with no argument prints {?}.
std::string_view vformat(std::span<char> out, std::string_view pattern,
                         std::span<const FormatArg> args);

template <class... Args>
std::string_view format(std::span<char> out, std::string_view pattern, const Args&... args) {
  const FormatArg list[] = {FormatArg(args)..., FormatArg(0)};
  return vformat(out, pattern, std::span<const FormatArg>(list, sizeof...(args)));
}

}  // namespace archelon
