#include "drivers/acpi/sleep.hpp"

#include "hv/base/byte_reader.hpp"

namespace archelon::drivers::acpi {
namespace {

// Reads an AML integer constant at `at` and moves behind it.
std::optional<std::uint64_t> read_integer(ByteReader aml, std::size_t& at) {
  constexpr std::uint8_t kZero = 0x00, kOne = 0x01, kOnes = 0xff;
  constexpr std::uint8_t kByte = 0x0a, kWord = 0x0b, kDword = 0x0c;
  const auto op = aml.get<std::uint8_t>(at++);
  if (!op) {
    return std::nullopt;
  }
  std::optional<std::uint64_t> value;
  std::size_t size = 0;
  switch (*op) {
    case kZero:
      return 0;
    case kOne:
      return 1;
    case kOnes:
      return ~std::uint64_t{0};
    case kByte:
      value = aml.get<std::uint8_t>(at);
      size = 1;
      break;
    case kWord:
      value = aml.get<std::uint16_t>(at);
      size = 2;
      break;
    case kDword:
      value = aml.get<std::uint32_t>(at);
      size = 4;
      break;
    default:
      break;
  }
  at += size;
  return value;
}

}  // namespace

std::optional<SleepTypes> parse_s5_package(std::byte before, std::span<const std::byte> bytes) {
  constexpr std::byte kNameOp{0x08}, kRootPrefix{'\\'};
  constexpr std::uint8_t kPackageOp = 0x12;
  const ByteReader aml(bytes);
  if ((before != kNameOp && before != kRootPrefix) || aml.get<std::uint8_t>(4) != kPackageOp) {
    return std::nullopt;
  }
  const auto lead = aml.get<std::uint8_t>(5);
  if (!lead) {
    return std::nullopt;
  }
  // PkgLength: the two top bits of the lead byte count the bytes that follow it. NumElements next.
  std::size_t at = 6 + (*lead >> 6);
  const auto elements = aml.get<std::uint8_t>(at++);
  if (!elements || *elements == 0) {
    return std::nullopt;
  }
  const auto pm1a = read_integer(aml, at);
  // A package of one element holds both types in its two low bytes.
  const auto pm1b =
      *elements > 1 ? read_integer(aml, at) : (pm1a ? std::optional(*pm1a >> 8) : std::nullopt);
  if (!pm1a || !pm1b) {
    return std::nullopt;
  }
  return SleepTypes{static_cast<std::uint8_t>(*pm1a & 7), static_cast<std::uint8_t>(*pm1b & 7)};
}

}  // namespace archelon::drivers::acpi
