#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "drivers/ports.hpp"
#include "hv/base/address.hpp"
#include "hv/base/bits.hpp"
#include "hv/base/static_vector.hpp"

// PCI configuration space and what is in it. PCI Local Bus Specification, "Configuration Space".
namespace archelon::drivers::pci {

struct Bdf {
  std::uint8_t bus = 0;
  std::uint8_t device = 0;    // 0 to 31
  std::uint8_t function = 0;  // 0 to 7

  // The source-id form: bus 15:8, device 7:3, function 2:0.
  [[nodiscard]] constexpr std::uint16_t id() const {
    return static_cast<std::uint16_t>(bus << 8 | device << 3 | function);
  }
  constexpr bool operator==(const Bdf&) const = default;
};

// Aligned 32-bit accesses to configuration space; what is absent reads all ones.
template <class P>
concept ConfigPort = requires(P port, Bdf bdf, std::uint16_t offset, std::uint32_t value) {
  { port.read32(bdf, offset) } -> std::same_as<std::uint32_t>;
  port.write32(bdf, offset, value);
};

// Configuration mechanism #1: address at port 0xcf8, data at 0xcfc; the first 256 bytes only.
template <IoPorts P>
class PortConfig {
 public:
  constexpr PortConfig() = default;
  constexpr explicit PortConfig(P ports) : ports_(ports) {}

  [[nodiscard]] std::uint32_t read32(Bdf bdf, std::uint16_t offset) {
    if (offset > kLastOffset) {
      return ~std::uint32_t{0};
    }
    ports_.out32(kAddress, address(bdf, offset));
    return ports_.in32(kData);
  }
  void write32(Bdf bdf, std::uint16_t offset, std::uint32_t value) {
    if (offset <= kLastOffset) {
      ports_.out32(kAddress, address(bdf, offset));
      ports_.out32(kData, value);
    }
  }

 private:
  static constexpr std::uint16_t kAddress = 0xcf8, kData = 0xcfc, kLastOffset = 0xfc;
  static constexpr std::uint32_t address(Bdf bdf, std::uint16_t offset) {
    constexpr std::uint32_t kEnable = 1U << 31;
    return kEnable | static_cast<std::uint32_t>(bdf.id()) << 8 | (offset & 0xfcU);
  }
  P ports_{};
};

// Enhanced configuration access: 4 KiB per function, for the buses first..last of a range whose
// bus 0 would be at the region's start (PCI Express, "Enhanced Configuration Access Mechanism").
template <MmioRegion R>
class EcamConfig {
 public:
  constexpr EcamConfig(R region, std::uint8_t first_bus, std::uint8_t last_bus)
      : region_(region), first_bus_(first_bus), last_bus_(last_bus) {}

  [[nodiscard]] std::uint32_t read32(Bdf bdf, std::uint16_t offset) {
    return reaches(bdf, offset) ? region_.read32(place(bdf, offset)) : ~std::uint32_t{0};
  }
  void write32(Bdf bdf, std::uint16_t offset, std::uint32_t value) {
    if (reaches(bdf, offset)) {
      region_.write32(place(bdf, offset), value);
    }
  }

 private:
  [[nodiscard]] constexpr bool reaches(Bdf bdf, std::uint16_t offset) const {
    return bdf.bus >= first_bus_ && bdf.bus <= last_bus_ && offset < 4096;
  }
  static constexpr std::uint64_t place(Bdf bdf, std::uint16_t offset) {
    return std::uint64_t{bdf.id()} << 12 | (offset & 0xffcU);
  }
  R region_;
  std::uint8_t first_bus_;
  std::uint8_t last_bus_;
};

// Class, subclass and programming interface as they lie in the register: 0x070002 is a 16550.
using ClassCode = std::uint32_t;
inline constexpr std::uint32_t kClassSerial = 0x0700;  // class and subclass
inline constexpr std::uint32_t kClassHostBridge = 0x0600;
inline constexpr std::uint32_t kClassPciBridge = 0x0604;

struct Function {
  Bdf bdf;
  std::uint16_t vendor = 0;
  std::uint16_t device = 0;
  ClassCode class_code = 0;
  std::uint8_t header_type = 0;    // without the multi-function bit
  std::uint8_t secondary_bus = 0;  // behind a bridge

  [[nodiscard]] constexpr std::uint32_t class_and_subclass() const { return class_code >> 8; }
  [[nodiscard]] constexpr bool is_bridge() const { return header_type == 1; }
};

inline constexpr std::size_t kMaxFunctions = 256;
using FunctionList = StaticVector<Function, kMaxFunctions>;

template <ConfigPort P>
[[nodiscard]] std::optional<Function> read_function(P& port, Bdf bdf) {
  const std::uint32_t id = port.read32(bdf, 0x00);
  const auto vendor = static_cast<std::uint16_t>(id);
  if (vendor == 0xffff || vendor == 0) {
    return std::nullopt;
  }
  Function f;
  f.bdf = bdf;
  f.vendor = vendor;
  f.device = static_cast<std::uint16_t>(id >> 16);
  f.class_code = port.read32(bdf, 0x08) >> 8;
  f.header_type = static_cast<std::uint8_t>(bit_field(port.read32(bdf, 0x0c), 22, 16));
  if (f.is_bridge()) {
    f.secondary_bus = static_cast<std::uint8_t>(bit_field(port.read32(bdf, 0x18), 15, 8));
  }
  return f;
}

// Lists the functions on every bus up to `last_bus`, in the order of their numbers: machines have
// root buses that no bridge leads to, so every bus is looked at, each once. False where
// there are more functions than the list holds.
template <ConfigPort P>
[[nodiscard]] bool enumerate(P& port, FunctionList& list, std::uint8_t last_bus = 255) {
  constexpr std::uint32_t kMultiFunction = 1U << 23;
  for (unsigned bus = 0; bus <= last_bus; ++bus) {
    for (unsigned device = 0; device < 32; ++device) {
      unsigned functions = 1;
      for (unsigned function = 0; function < functions; ++function) {
        const Bdf bdf{static_cast<std::uint8_t>(bus), static_cast<std::uint8_t>(device),
                      static_cast<std::uint8_t>(function)};
        const auto found = read_function(port, bdf);
        if (!found) {
          continue;  // function 0 absent: no such device; another absent: a gap
        }
        if (function == 0 && (port.read32(bdf, 0x0c) & kMultiFunction) != 0) {
          functions = 8;
        }
        if (!list.push_back(*found)) {
          return false;
        }
      }
    }
  }
  return true;
}

// The `nth` function of that class and subclass; null where there are not so many.
[[nodiscard]] const Function* find_class(const FunctionList& list, std::uint32_t class_and_subclass,
                                         unsigned nth = 0);

// What a base address register names. `address` is an I/O port or a host-physical address.
struct Bar {
  bool is_io = false;
  std::uint64_t address = 0;
};

// Decodes base address register `index` (0 to 5). Nothing where it is not set, out of the header's
// range, or reserved.
template <ConfigPort P>
[[nodiscard]] std::optional<Bar> read_bar(P& port, const Function& function, unsigned index) {
  const unsigned count = function.header_type == 0 ? 6 : (function.is_bridge() ? 2 : 0);
  if (index >= count) {
    return std::nullopt;
  }
  const auto offset = static_cast<std::uint16_t>(0x10 + 4 * index);
  const std::uint32_t low = port.read32(function.bdf, offset);
  Bar bar;
  if ((low & 1) != 0) {
    bar = {true, low & 0xfffcU};
  } else {
    const std::uint32_t type = (low >> 1) & 3;
    bar = {false, low & ~std::uint32_t{0xf}};
    if (type == 2) {
      if (index + 1 >= count) {
        return std::nullopt;
      }
      const auto next = static_cast<std::uint16_t>(offset + 4);
      bar.address |= std::uint64_t{port.read32(function.bdf, next)} << 32;
    } else if (type != 0) {
      return std::nullopt;
    }
  }
  return bar.address == 0 ? std::nullopt : std::optional(bar);
}

// Lets the function answer at its I/O ports and memory.
template <ConfigPort P>
void enable_decoding(P& port, Bdf bdf) {
  constexpr std::uint32_t kIoAndMemory = 3;
  // The upper half is status, whose set bits are cleared by writing ones: write zeros.
  port.write32(bdf, 0x04, (port.read32(bdf, 0x04) & 0xffff) | kIoAndMemory);
}

}  // namespace archelon::drivers::pci
