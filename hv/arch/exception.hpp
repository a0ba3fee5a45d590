#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

// Exceptions and interrupts of the architecture. SDM vol. 3A, "Interrupt and Exception Handling".
namespace archelon::arch {

enum class Vector : std::uint8_t {
  kDe = 0,
  kDb = 1,
  kNmi = 2,
  kBp = 3,
  kOf = 4,
  kBr = 5,
  kUd = 6,
  kNm = 7,
  kDf = 8,
  kTs = 10,
  kNp = 11,
  kSs = 12,
  kGp = 13,
  kPf = 14,
  kMf = 16,
  kAc = 17,
  kMc = 18,
  kXm = 19,
  kVe = 20,
  kCp = 21,
};
inline constexpr std::size_t kExceptionCount = 32;

[[nodiscard]] constexpr std::string_view name(Vector vector) {
  constexpr std::array<std::string_view, 22> kNames = {
      "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "CSO", "#TS",
      "#NP", "#SS", "#GP", "#PF", "15",  "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};
  const auto i = static_cast<std::size_t>(vector);
  return i < kNames.size() ? kNames[i] : std::string_view("?");
}

// True where delivery through the IDT of a protected-mode CPU pushes an error code.
[[nodiscard]] constexpr bool has_error_code(Vector vector) {
  switch (vector) {
    case Vector::kDf:
    case Vector::kTs:
    case Vector::kNp:
    case Vector::kSs:
    case Vector::kGp:
    case Vector::kPf:
    case Vector::kAc:
    case Vector::kCp:
      return true;
    default:
      return false;
  }
}

struct Exception {
  Vector vector = Vector::kUd;
  std::optional<std::uint32_t> error_code{};
  std::uint64_t cr2 = 0;  // #PF: the linear address
  constexpr bool operator==(const Exception&) const = default;
};

// Classes that decide what a second exception during delivery of a first one becomes.
// SDM vol. 3A, "Interrupt 8—Double Fault Exception (#DF)".
enum class ExceptionClass : std::uint8_t { kBenign, kContributory, kPageFault, kDoubleFault };

[[nodiscard]] constexpr ExceptionClass exception_class(Vector vector) {
  switch (vector) {
    case Vector::kDe:
    case Vector::kTs:
    case Vector::kNp:
    case Vector::kSs:
    case Vector::kGp:
    case Vector::kCp:
      return ExceptionClass::kContributory;
    case Vector::kPf:
    case Vector::kVe:
      return ExceptionClass::kPageFault;
    case Vector::kDf:
      return ExceptionClass::kDoubleFault;
    default:
      return ExceptionClass::kBenign;
  }
}

enum class SecondFault : std::uint8_t { kSerial, kDoubleFault, kShutdown };

// What happens when `second` arises while `first` is being delivered.
[[nodiscard]] constexpr SecondFault combine_exceptions(Vector first, Vector second) {
  const ExceptionClass a = exception_class(first);
  const ExceptionClass b = exception_class(second);
  if (a == ExceptionClass::kDoubleFault) {
    return b == ExceptionClass::kBenign ? SecondFault::kSerial : SecondFault::kShutdown;
  }
  if (a == ExceptionClass::kContributory) {
    return b == ExceptionClass::kContributory ? SecondFault::kDoubleFault : SecondFault::kSerial;
  }
  if (a == ExceptionClass::kPageFault) {
    return b == ExceptionClass::kContributory || b == ExceptionClass::kPageFault
               ? SecondFault::kDoubleFault
               : SecondFault::kSerial;
  }
  return SecondFault::kSerial;
}

// Error code of a page fault.
namespace pf {
inline constexpr std::uint32_t kPresent = 1u << 0;
inline constexpr std::uint32_t kWrite = 1u << 1;
inline constexpr std::uint32_t kUser = 1u << 2;
inline constexpr std::uint32_t kReserved = 1u << 3;
inline constexpr std::uint32_t kFetch = 1u << 4;
inline constexpr std::uint32_t kProtectionKey = 1u << 5;
inline constexpr std::uint32_t kShadowStack = 1u << 6;
}  // namespace pf

}  // namespace archelon::arch
