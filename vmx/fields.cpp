#include "vmx/fields.hpp"

namespace archelon::vmx {
namespace {

constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (upper(a[i]) != upper(b[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string_view field_name(std::uint32_t encoding) {
  const auto position = field_position(encoding);
  return position ? kFieldNames[*position].name : std::string_view("?");
}

std::optional<std::uint32_t> field_by_name(std::string_view name) {
  for (const FieldName& field : kFieldNames) {
    if (equal_ignoring_case(field.name, name)) {
      return field.encoding;
    }
  }
  return std::nullopt;
}

}  // namespace archelon::vmx
