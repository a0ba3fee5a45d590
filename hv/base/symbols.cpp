#include "hv/base/symbols.hpp"

#include "hv/base/byte_reader.hpp"

namespace archelon {
namespace {

struct Entry {
  std::uint32_t offset;
  std::uint32_t size;
  std::uint32_t name;
};
static_assert(sizeof(Entry) == 12);
constexpr std::size_t kFirstEntry = 4;

std::optional<std::string_view> name_at(std::span<const std::byte> table, std::uint32_t place) {
  if (place >= table.size()) {
    return std::nullopt;
  }
  const auto* text = reinterpret_cast<const char*>(table.data()) + place;
  for (std::size_t length = 0; place + length < table.size(); ++length) {
    if (text[length] == '\0') {
      return std::string_view(text, length);
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<SymbolPlace> find_symbol(std::span<const std::byte> table, std::uint32_t offset) {
  const ByteReader reader(table);
  const auto count = reader.get<std::uint32_t>(0);
  if (!count || *count > (table.size() - kFirstEntry) / sizeof(Entry)) {
    return std::nullopt;
  }
  const auto entry = [&](std::uint32_t i) {
    return reader.get<Entry>(kFirstEntry + std::size_t{i} * sizeof(Entry));
  };
  // The last entry that starts at or below the offset is number `low` - 1.
  std::uint32_t low = 0;
  std::uint32_t high = *count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const auto here = entry(middle);
    if (!here) {
      return std::nullopt;
    }
    if (here->offset <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const auto found = low == 0 ? std::nullopt : entry(low - 1);
  if (!found || offset - found->offset >= found->size) {
    return std::nullopt;
  }
  const auto name = name_at(table, found->name);
  if (!name) {
    return std::nullopt;
  }
  return SymbolPlace{*name, offset - found->offset};
}

}  // namespace archelon
