#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace archelon {

// A place in L0's code: `name` + `offset`.
struct SymbolPlace {
  std::string_view name;
  std::uint32_t offset = 0;
};

// Finds the function that holds `offset` (from the image's start) in the table that
// tools/symbols.py writes: little-endian u32 count; then per function, ascending, u32 offset, u32
// size and u32 place of its name, which is NUL-terminated, counted from the table's start. Nothing
// where no function holds the offset or the table is absent or broken.
[[nodiscard]] std::optional<SymbolPlace> find_symbol(std::span<const std::byte> table,
                                                     std::uint32_t offset);

}  // namespace archelon
