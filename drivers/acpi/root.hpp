#pragma once

#include <optional>
#include <span>

#include "drivers/acpi/table.hpp"

namespace archelon::drivers::acpi {

// Where the list of tables is: the XSDT (64-bit entries) or the RSDT (32-bit entries).
struct Root {
  Hpa xsdt;  // 0 when the firmware has none
  Hpa rsdt;
};

// Reads a Root System Description Pointer from `bytes` (20 bytes of ACPI 1.0 or 36 of ACPI 2.0 and
// later; more may follow). Nothing where the signature or a checksum is wrong. Source: ACPI, "Root
// System Description Pointer (RSDP) Structure".
[[nodiscard]] std::optional<Root> parse_rsdp(std::span<const std::byte> bytes);

// Searches the two places of PC firmware: the first KiB of the EBDA and 0xe0000 to 0xfffff, on
// 16-byte boundaries (ACPI, "Finding the RSDP on IA-PC Systems").
template <HpaReader M>
[[nodiscard]] std::optional<Root> scan_for_rsdp(M& memory) {
  const auto scan = [&](std::uint64_t begin, std::uint64_t end) -> std::optional<Root> {
    std::array<std::byte, 36> bytes{};
    for (std::uint64_t at = begin; at < end; at += 16) {
      if (read_value<std::uint32_t>(memory, Hpa(at)) == signature("RSD ") &&
          memory.read(Hpa(at), bytes)) {
        if (const auto root = parse_rsdp(bytes)) {
          return root;
        }
      }
    }
    return std::nullopt;
  };
  constexpr std::uint64_t kEbdaSegment = 0x40e;
  const std::uint64_t ebda =
      std::uint64_t{read_value<std::uint16_t>(memory, Hpa(kEbdaSegment)).value_or(0)} << 4;
  if (ebda >= 0x400 && ebda < 0xa0000) {
    if (const auto root = scan(ebda, ebda + 0x400)) {
      return root;
    }
  }
  return scan(0xe0000, 0x100000);
}

inline constexpr std::size_t kMaxTables = 64;

// The tables that the XSDT, or where that is missing or broken the RSDT, lists. Broken ones are
// left out. problem(Problem) is called for each flaw.
template <HpaReader M, class Report>
[[nodiscard]] StaticVector<Table, kMaxTables> list_tables(M& memory, const Root& root,
                                                          Report problem) {
  StaticVector<Table, kMaxTables> tables;
  const auto read_list = [&](Hpa base, std::uint32_t expected, std::uint32_t entry_size) {
    const auto list = open_table(memory, base);
    if (!list.ok()) {
      problem(list.error());
      return false;
    }
    if (list->signature != expected) {
      problem(Problem{"root table has a wrong signature", list->signature, base});
      return false;
    }
    for (std::uint64_t at = kHeaderSize; at + entry_size <= list->length; at += entry_size) {
      const std::optional<std::uint64_t> entry =
          entry_size == 8
              ? list->template get<std::uint64_t>(memory, at)
              : std::optional<std::uint64_t>(list->template get<std::uint32_t>(memory, at));
      if (!entry || *entry == 0) {
        continue;  // some firmware leaves empty slots
      }
      const auto table = open_table(memory, Hpa(*entry));
      if (!table.ok()) {
        problem(table.error());
      } else if (!tables.push_back(*table)) {
        problem(Problem{"more tables than there is room for", table->signature, table->base});
        break;
      }
    }
    return true;
  };
  if (root.xsdt.value() == 0 || !read_list(root.xsdt, signature("XSDT"), 8)) {
    if (root.rsdt.value() != 0) {
      static_cast<void>(read_list(root.rsdt, signature("RSDT"), 4));
    }
  }
  return tables;
}

}  // namespace archelon::drivers::acpi
