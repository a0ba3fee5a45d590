#include "drivers/acpi/root.hpp"

#include "hv/base/byte_reader.hpp"

namespace archelon::drivers::acpi {

std::uint8_t byte_sum(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) {
    sum += static_cast<unsigned>(b);
  }
  return static_cast<std::uint8_t>(sum);
}

std::optional<Root> parse_rsdp(std::span<const std::byte> bytes) {
  constexpr std::size_t kSize1 = 20;  // ACPI 1.0
  constexpr std::size_t kSize2 = 36;  // ACPI 2.0 and later
  const ByteReader reader(bytes);
  const auto first = reader.slice(0, kSize1);
  if (!first || std::memcmp(first->data(), "RSD PTR ", 8) != 0 || byte_sum(*first) != 0) {
    return std::nullopt;
  }
  Root root;
  root.rsdt = Hpa(*reader.get<std::uint32_t>(16));
  const std::uint8_t revision = *reader.get<std::uint8_t>(15);
  if (revision >= 2) {
    const auto length = reader.get<std::uint32_t>(20);
    const auto whole = length && *length >= kSize2 ? reader.slice(0, *length) : std::nullopt;
    // A wrong extension leaves the RSDT, whose checksum was right.
    if (whole && byte_sum(*whole) == 0) {
      root.xsdt = Hpa(*reader.get<std::uint64_t>(24));
    }
  }
  if (root.xsdt.value() == 0 && root.rsdt.value() == 0) {
    return std::nullopt;
  }
  return root;
}

}  // namespace archelon::drivers::acpi
