#pragma once

#include <cstdint>
#include <string_view>

#include "hv/devices/byte_writer.hpp"

namespace archelon::devices {

// The integer form of an EISA id such as "PNP0A03" (ACPI, "EISAID (EISA ID String To Integer
// Conversion Macro)"): three letters of five bits and four hexadecimal digits, big-endian.
[[nodiscard]] consteval std::uint32_t eisa_id(const char (&id)[8]) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 3; ++i) {
    value = value << 5 | (static_cast<std::uint32_t>(id[i]) - 0x40);
  }
  for (unsigned i = 3; i < 7; ++i) {
    const auto c = static_cast<std::uint32_t>(id[i]);
    value = value << 4 | (c <= '9' ? c - '0' : c - 'A' + 10);
  }
  return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff'0000) | value << 24;
}

// Writes ACPI Machine Language (ACPI, "ACPI Machine Language (AML) Specification"): as much of it
// as a description of fixed devices needs. Names are four characters, paths complete ("\_SB_").
class Aml {
 public:
  explicit constexpr Aml(ByteWriter& out) : out_(out) {}

  // The bodies are called once, in place, to write what is inside.
  template <class Body>
  void scope(std::string_view path, Body body) {
    out_.u8(kScopeOp);
    enclosed([&] {
      out_.text(path);
      body();
    });
  }
  template <class Body>
  void device(std::string_view name, Body body) {
    out_.u8(kExtOpPrefix);
    out_.u8(kDeviceOp);
    enclosed([&] {
      out_.text(name);
      body();
    });
  }
  // A Name of a Package; the body writes `count` elements.
  template <class Body>
  void named_package(std::string_view name, std::uint8_t count, Body body) {
    out_.u8(kNameOp);
    out_.text(name);
    out_.u8(kPackageOp);
    enclosed([&] {
      out_.u8(count);
      body();
    });
  }
  // A Name of a ResourceTemplate; the body writes descriptors.
  template <class Body>
  void named_resources(std::string_view name, Body body) {
    out_.u8(kNameOp);
    out_.text(name);
    out_.u8(kBufferOp);
    enclosed([&] {
      out_.u8(kWordPrefix);
      const std::size_t size_at = out_.size();
      out_.u16(0);
      const std::size_t begin = out_.size();
      body();
      out_.u16(kEndTag);
      out_.patch(size_at, out_.size() - begin, 2);
    });
  }
  void named_integer(std::string_view name, std::uint64_t value);
  void named_string(std::string_view name, std::string_view value);
  void integer(std::uint64_t value);

  // Resource descriptors (ACPI, "Resource Data Types for ACPI"). All ranges are fixed.
  void io(std::uint16_t base, std::uint8_t count);
  void irq(unsigned line);
  void bus_numbers(std::uint8_t first, std::uint8_t last);
  // What a bridge passes on: I/O ports, memory below 4 GiB that is read-write and not cacheable.
  void io_window(std::uint16_t first, std::uint16_t last);
  void memory_window(std::uint32_t first, std::uint32_t last);

 private:
  static constexpr std::uint8_t kNameOp = 0x08;
  static constexpr std::uint8_t kWordPrefix = 0x0b;
  static constexpr std::uint8_t kScopeOp = 0x10;
  static constexpr std::uint8_t kBufferOp = 0x11;
  static constexpr std::uint8_t kPackageOp = 0x12;
  static constexpr std::uint8_t kExtOpPrefix = 0x5b;
  static constexpr std::uint8_t kDeviceOp = 0x82;
  static constexpr std::uint16_t kEndTag = 0x0079;  // with checksum 0: not checked

  // A PkgLength, in its shortest form, and what it spans: up to 1 MiB.
  template <class Body>
  void enclosed(Body body) {
    constexpr std::size_t kLongest = 3;
    const std::size_t at = out_.size();
    out_.zeros(kLongest);
    body();
    const std::size_t content = out_.size() - at - kLongest;
    const unsigned bytes = content + 1 < 0x40 ? 1 : content + 2 < 0x1000 ? 2 : 3;
    const std::size_t length = content + bytes;
    out_.erase(at, kLongest - bytes);
    if (bytes == 1) {
      out_.patch(at, length, 1);
    } else {
      out_.patch(at, (bytes - 1) << 6 | (length & 0xf), 1);
      out_.patch(at + 1, length >> 4, bytes - 1);
    }
  }
  void word_space(std::uint8_t type, std::uint8_t flags, std::uint16_t first, std::uint16_t last);

  ByteWriter& out_;
};

}  // namespace archelon::devices
