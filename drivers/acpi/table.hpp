#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "hv/base/static_vector.hpp"

namespace archelon::drivers::acpi {

// Host-physical memory to read tables from; false where there is none.
template <class M>
concept HpaReader = requires(M memory, Hpa address, std::span<std::byte> out) {
  { memory.read(address, out) } -> std::same_as<bool>;
};

// A table signature as the four bytes in memory, read little-endian.
[[nodiscard]] consteval std::uint32_t signature(const char (&name)[5]) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) {
    value |= static_cast<std::uint32_t>(static_cast<unsigned char>(name[i])) << (8 * i);
  }
  return value;
}

// What is wrong with which table, in words; signature 0 where it is none in particular.
struct Problem {
  std::string_view text;
  std::uint32_t signature = 0;
  Hpa address;
};

inline constexpr std::uint32_t kHeaderSize = 36;
// Nothing legitimate is near this size (large DSDTs have some hundred KiB).
inline constexpr std::uint32_t kMaxTableSize = 16U << 20;

// A system description table whose header was found plausible (ACPI, "System Description Table
// Header"). Its contents are read field by field and never past its length.
struct Table {
  Hpa base;
  std::uint32_t length = 0;
  std::uint32_t signature = 0;
  std::uint8_t revision = 0;

  template <class T, HpaReader M>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] std::optional<T> get(M& memory, std::uint64_t offset) const {
    if (offset > length || length - offset < sizeof(T)) {
      return std::nullopt;
    }
    return read_value<T>(memory, base + offset);
  }

  // Copies `out.size()` bytes at `offset`; false where they are not all within the table.
  template <HpaReader M>
  [[nodiscard]] bool copy(M& memory, std::uint64_t offset, std::span<std::byte> out) const {
    return offset <= length && length - offset >= out.size() && memory.read(base + offset, out);
  }
};

// The sum of bytes modulo 256: 0 over a whole table (ACPI, "Checksum").
[[nodiscard]] std::uint8_t byte_sum(std::span<const std::byte> bytes);

// Opens the table at `base`: header readable, length plausible, bytes summing up to 0.
template <HpaReader M>
[[nodiscard]] Result<Table, Problem> open_table(M& memory, Hpa base) {
  std::array<std::byte, 16> header{};
  if (base.value() == 0 || base.value() > ~std::uint64_t{0} - kMaxTableSize ||
      !memory.read(base, header)) {
    return Err{Problem{"table is not in readable memory", 0, base}};
  }
  Table table;
  table.base = base;
  std::memcpy(&table.signature, header.data(), sizeof table.signature);
  std::memcpy(&table.length, header.data() + 4, sizeof table.length);
  table.revision = static_cast<std::uint8_t>(header[8]);
  if (table.length < kHeaderSize || table.length > kMaxTableSize) {
    return Err{Problem{"table has an impossible length", table.signature, base}};
  }
  std::uint8_t sum = 0;
  std::array<std::byte, 256> chunk;
  for (std::uint32_t at = 0; at < table.length; at += chunk.size()) {
    const std::size_t size = table.length - at < chunk.size() ? table.length - at : chunk.size();
    const auto part = std::span(chunk).first(size);
    if (!memory.read(base + at, part)) {
      return Err{Problem{"table is not in readable memory", table.signature, base}};
    }
    sum = static_cast<std::uint8_t>(sum + byte_sum(part));
  }
  if (sum != 0) {
    return Err{Problem{"table has a wrong checksum", table.signature, base}};
  }
  return table;
}

// A register as ACPI describes it (ACPI, "Generic Address Structure").
struct GenericAddress {
  enum class Space : std::uint8_t { kMemory = 0, kIo = 1, kPciConfig = 2 };

  Space space = Space::kMemory;
  std::uint8_t bit_width = 0;
  std::uint64_t address = 0;

  [[nodiscard]] constexpr bool present() const { return address != 0; }
};

template <HpaReader M>
[[nodiscard]] std::optional<GenericAddress> get_generic_address(M& memory, const Table& table,
                                                                std::uint64_t offset) {
  const auto space = table.get<std::uint8_t>(memory, offset);
  const auto width = table.get<std::uint8_t>(memory, offset + 1);
  const auto address = table.get<std::uint64_t>(memory, offset + 4);
  if (!space || !width || !address) {
    return std::nullopt;
  }
  return GenericAddress{static_cast<GenericAddress::Space>(*space), *width, *address};
}

}  // namespace archelon::drivers::acpi
