#include "hv/devices/aml.hpp"

namespace archelon::devices {
namespace {

constexpr std::uint8_t kBytePrefix = 0x0a;
constexpr std::uint8_t kDwordPrefix = 0x0c;
constexpr std::uint8_t kStringPrefix = 0x0d;
constexpr std::uint8_t kQwordPrefix = 0x0e;

constexpr std::uint8_t kIrqDescriptor = 0x22;
constexpr std::uint8_t kIoDescriptor = 0x47;
constexpr std::uint8_t kDwordSpace = 0x87;
constexpr std::uint8_t kWordSpace = 0x88;
constexpr std::uint8_t kSpaceMemory = 0;
constexpr std::uint8_t kSpaceIo = 1;
constexpr std::uint8_t kSpaceBus = 2;
constexpr std::uint8_t kMinAndMaxFixed = 0x0c;
constexpr std::uint8_t kIoEntireRange = 0x03;
constexpr std::uint8_t kMemoryReadWrite = 0x01;

}  // namespace

void Aml::integer(std::uint64_t value) {
  if (value <= 1) {
    out_.u8(value);  // ZeroOp, OneOp
  } else if (value <= 0xff) {
    out_.u8(kBytePrefix);
    out_.u8(value);
  } else if (value <= 0xffff) {
    out_.u8(kWordPrefix);
    out_.u16(value);
  } else if (value <= 0xffff'ffff) {
    out_.u8(kDwordPrefix);
    out_.u32(value);
  } else {
    out_.u8(kQwordPrefix);
    out_.u64(value);
  }
}

void Aml::named_integer(std::string_view name, std::uint64_t value) {
  out_.u8(kNameOp);
  out_.text(name);
  integer(value);
}

void Aml::named_string(std::string_view name, std::string_view value) {
  out_.u8(kNameOp);
  out_.text(name);
  out_.u8(kStringPrefix);
  out_.text(value);
  out_.u8(0);
}

void Aml::io(std::uint16_t base, std::uint8_t count) {
  out_.u8(kIoDescriptor);
  out_.u8(1);  // all 16 address bits are decoded
  out_.u16(base);
  out_.u16(base);
  out_.u8(1);
  out_.u8(count);
}

void Aml::irq(unsigned line) {
  out_.u8(kIrqDescriptor);  // without flags: edge-triggered, active high, not shared
  out_.u16(std::uint64_t{1} << line);
}

void Aml::word_space(std::uint8_t type, std::uint8_t flags, std::uint16_t first,
                     std::uint16_t last) {
  out_.u8(kWordSpace);
  out_.u16(13);
  out_.u8(type);
  out_.u8(kMinAndMaxFixed);
  out_.u8(flags);
  out_.u16(0);  // granularity
  out_.u16(first);
  out_.u16(last);
  out_.u16(0);  // translation
  out_.u16(std::uint64_t{last} - first + 1);
}

void Aml::bus_numbers(std::uint8_t first, std::uint8_t last) {
  word_space(kSpaceBus, 0, first, last);
}

void Aml::io_window(std::uint16_t first, std::uint16_t last) {
  word_space(kSpaceIo, kIoEntireRange, first, last);
}

void Aml::memory_window(std::uint32_t first, std::uint32_t last) {
  out_.u8(kDwordSpace);
  out_.u16(23);
  out_.u8(kSpaceMemory);
  out_.u8(kMinAndMaxFixed);
  out_.u8(kMemoryReadWrite);
  out_.u32(0);
  out_.u32(first);
  out_.u32(last);
  out_.u32(0);
  out_.u32(std::uint64_t{last} - first + 1);
}

}  // namespace archelon::devices
