#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/base/format.hpp"
#include "vmx/checks/entry_rule.hpp"

namespace archelon::vmx {

// Enough for every rule: its name, its section, its fields with their values.
inline constexpr std::size_t kDescriptionSize = 768;

// "NAME (SECTION): FIELD=VALUE, ...", the values from value_at(position); cut where `out` ends.
template <class ValueAt>
std::string_view describe(std::span<char> out, const EntryRule& rule, ValueAt&& value_at) {
  std::size_t used = format(out, "{} ({})", rule.name, section_title(rule.section)).size();
  std::string_view separator = ": ";
  rule.fields.for_each([&](std::size_t position) {
    const std::uint64_t value = value_at(position);
    used += format(out.subspan(used), "{}{}={:#x}", separator, kFieldNames[position].name, value)
                .size();
    separator = ", ";
  });
  return {out.data(), used};
}

}  // namespace archelon::vmx
