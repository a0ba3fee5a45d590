#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "hv/arch/segment.hpp"
#include "hv/base/bits.hpp"
#include "vmx/field_list.hpp"

// VMCS fields as typed constants that carry their width, so that an encoding never passes for a
// value. SDM vol. 3C, "Field-Encoding" (VMREAD, VMWRITE, and Encodings of VMCS Fields).
namespace archelon::vmx {

enum class FieldWidth : std::uint8_t { k16 = 0, k64 = 1, k32 = 2, kNatural = 3 };
enum class FieldType : std::uint8_t {
  kControl = 0,
  kReadOnly = 1,
  kGuestState = 2,
  kHostState = 3
};

// An encoding's parts. Bits 31:15 and 12 are reserved: see is_well_formed.
[[nodiscard]] constexpr FieldWidth field_width(std::uint32_t encoding) {
  return static_cast<FieldWidth>((encoding >> 13) & 3);
}
[[nodiscard]] constexpr FieldType field_type(std::uint32_t encoding) {
  return static_cast<FieldType>((encoding >> 10) & 3);
}
[[nodiscard]] constexpr std::uint32_t field_index(std::uint32_t encoding) {
  return (encoding >> 1) & 0x1ff;
}
// Access to bits 63:32 of a 64-bit field.
[[nodiscard]] constexpr bool is_high_access(std::uint32_t encoding) {
  return (encoding & 1) != 0;
}
[[nodiscard]] constexpr bool is_well_formed(std::uint32_t encoding) {
  return (encoding & 0xffff9000u) == 0 &&
         (!is_high_access(encoding) || field_width(encoding) == FieldWidth::k64);
}

// Tag for fields that have 64 bits where the CPU has Intel 64 and 32 bits elsewhere.
struct Natural {};

namespace detail {
template <class T>
inline constexpr FieldWidth kWidthOf = std::is_same_v<T, std::uint16_t>   ? FieldWidth::k16
                                       : std::is_same_v<T, std::uint32_t> ? FieldWidth::k32
                                       : std::is_same_v<T, std::uint64_t> ? FieldWidth::k64
                                                                          : FieldWidth::kNatural;
// Not constexpr: calling it ends the compilation, with its name as the message.
void encoding_is_not_of_this_width();

}  // namespace detail

template <class T>
struct Field {
  static_assert(std::is_same_v<T, std::uint16_t> || std::is_same_v<T, std::uint32_t> ||
                std::is_same_v<T, std::uint64_t> || std::is_same_v<T, Natural>);
  using Width = T;
  using Value = std::conditional_t<std::is_same_v<T, Natural>, std::uint64_t, T>;

  std::uint32_t encoding;

  // Does not compile where the encoding's width is not T's.
  consteval explicit Field(std::uint32_t field_encoding) : encoding(field_encoding) {
    if (!is_well_formed(field_encoding) || is_high_access(field_encoding) ||
        field_width(field_encoding) != detail::kWidthOf<T>) {
      detail::encoding_is_not_of_this_width();
    }
  }

  // The field `index` places after this one in a row of like fields (segments, bitmaps, ...).
  [[nodiscard]] constexpr Field at(std::uint32_t index) const {
    return Field(encoding + 2 * index, Unchecked{});
  }

  [[nodiscard]] constexpr FieldType type() const { return field_type(encoding); }
  constexpr bool operator==(const Field&) const = default;

 private:
  struct Unchecked {};
  constexpr Field(std::uint32_t field_encoding, Unchecked) : encoding(field_encoding) {}
};

using Field16 = Field<std::uint16_t>;
using Field32 = Field<std::uint32_t>;
using Field64 = Field<std::uint64_t>;
using FieldNatural = Field<Natural>;

namespace fields {

#define ARCHELON_VMCS_CONSTANT(width, constant, name, encoding) \
  inline constexpr width constant{encoding};
ARCHELON_VMCS_FIELDS(ARCHELON_VMCS_CONSTANT)
#undef ARCHELON_VMCS_CONSTANT

}  // namespace fields

// The four fields of a guest's segment register.
struct SegmentFields {
  Field16 selector;
  Field32 access_rights;
  Field32 limit;
  FieldNatural base;
};
[[nodiscard]] constexpr SegmentFields guest_segment_fields(arch::Segment segment) {
  const auto i = static_cast<std::uint32_t>(segment);
  return {fields::kGuestEsSelector.at(i), fields::kGuestEsAccessRights.at(i),
          fields::kGuestEsLimit.at(i), fields::kGuestEsBase.at(i)};
}
static_assert(guest_segment_fields(arch::Segment::kTr).selector == fields::kGuestTrSelector);
static_assert(guest_segment_fields(arch::Segment::kTr).access_rights ==
              fields::kGuestTrAccessRights);
static_assert(guest_segment_fields(arch::Segment::kTr).limit == fields::kGuestTrLimit);
static_assert(guest_segment_fields(arch::Segment::kTr).base == fields::kGuestTrBase);

struct FieldName {
  std::uint32_t encoding;
  std::string_view name;
};

#define ARCHELON_VMCS_COUNT(width, constant, name, encoding) +1
inline constexpr std::size_t kFieldCount = 0 ARCHELON_VMCS_FIELDS(ARCHELON_VMCS_COUNT);
#undef ARCHELON_VMCS_COUNT

// Every known field in ascending order within a width and type, for the shell and the trace.
#define ARCHELON_VMCS_ROW(width, constant, name, encoding) FieldName{encoding, #name},
inline constexpr std::array<FieldName, kFieldCount> kFieldNames = {
    {ARCHELON_VMCS_FIELDS(ARCHELON_VMCS_ROW)}};
#undef ARCHELON_VMCS_ROW

namespace detail {

// Indices of known fields fit in 6 bits, so width, type and index make a small dense number.
inline constexpr std::uint32_t kMaxFieldIndex = 63;
inline constexpr std::uint8_t kNoField = 0xff;
static_assert(kFieldCount < kNoField);

[[nodiscard]] constexpr std::size_t dense_number(std::uint32_t encoding) {
  return ((encoding >> 5) & 0x300) | ((encoding >> 4) & 0xc0) | (field_index(encoding) & 0x3f);
}

inline constexpr auto kPositions = [] {
  std::array<std::uint8_t, 1024> positions{};
  positions.fill(kNoField);
  for (std::size_t i = 0; i < kFieldCount; ++i) {
    positions[dense_number(kFieldNames[i].encoding)] = static_cast<std::uint8_t>(i);
  }
  return positions;
}();

}  // namespace detail

// A field's place in kFieldNames, found in constant time; its high-access encoding has the same.
// Nothing for an encoding that no field has.
[[nodiscard]] constexpr std::optional<std::size_t> field_position(std::uint32_t encoding) {
  if (!is_well_formed(encoding) || field_index(encoding) > detail::kMaxFieldIndex) {
    return std::nullopt;
  }
  const std::uint8_t position = detail::kPositions[detail::dense_number(encoding)];
  if (position == detail::kNoField) {
    return std::nullopt;
  }
  return position;
}

// "GUEST_RIP" for 0x681e; "?" for an unknown encoding.
[[nodiscard]] std::string_view field_name(std::uint32_t encoding);

// 0x681e for "GUEST_RIP" or "guest_rip".
[[nodiscard]] std::optional<std::uint32_t> field_by_name(std::string_view name);

}  // namespace archelon::vmx
