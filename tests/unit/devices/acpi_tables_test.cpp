#include "hv/devices/acpi_tables.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "drivers/acpi/acpi.hpp"
#include "hv/devices/aml.hpp"
#include "hv/devices/machine_config.hpp"

using namespace archelon;
using namespace archelon::devices;
namespace acpi = archelon::drivers::acpi;

namespace {

constexpr std::uint64_t kBase = 0xe'0000;

MachineConfig config_of(unsigned cpus) {
  MachineConfig config;
  config.cpus = cpus;
  config.memory_bytes = 512u << 20;
  return config;
}

// The VM's memory as an L0 in it would see it: nothing but the tables.
struct Firmware {
  explicit Firmware(const MachineConfig& config) : bytes(kAcpiTablesMax) {
    const auto used = write_acpi_tables(config, Gpa1(kBase), bytes);
    REQUIRE(used.has_value());
    bytes.resize(*used);
  }
  bool read(Hpa address, std::span<std::byte> out) const {
    if (address.value() < kBase || address.value() - kBase > bytes.size() ||
        bytes.size() - (address.value() - kBase) < out.size()) {
      return false;
    }
    std::memcpy(out.data(), bytes.data() + (address.value() - kBase), out.size());
    return true;
  }
  std::vector<std::byte> table(Hpa base) const {
    const auto length = read_value<std::uint32_t>(*this, base + 4).value();
    std::vector<std::byte> out(length);
    REQUIRE(read(base, out));
    return out;
  }
  std::vector<std::byte> bytes;
};

unsigned sum(std::span<const std::byte> bytes) {
  unsigned total = 0;
  for (const std::byte b : bytes) {
    total += std::to_integer<unsigned>(b);
  }
  return total & 0xff;
}

// Reads AML of the kinds that the generator writes, checking that every length fits its parent
// exactly; collects the names of the devices.
struct AmlReader {
  std::span<const std::byte> aml;
  std::size_t at = 0;
  std::string devices;

  unsigned byte() {
    REQUIRE(at < aml.size());
    return std::to_integer<unsigned>(aml[at++]);
  }
  std::string name(std::size_t size) {
    REQUIRE(at + size <= aml.size());
    std::string text(reinterpret_cast<const char*>(aml.data() + at), size);
    at += size;
    return text;
  }
  std::size_t end_of_package(std::size_t parent_end) {
    const std::size_t begin = at;
    const unsigned lead = byte();
    std::size_t length = lead >> 6 == 0 ? lead & 0x3f : lead & 0xf;
    for (unsigned i = 0; i < lead >> 6; ++i) {
      length |= static_cast<std::size_t>(byte()) << (4 + 8 * i);
    }
    REQUIRE(begin + length <= parent_end);
    return begin + length;
  }
  std::uint64_t integer() {
    const unsigned op = byte();
    if (op <= 1) {
      return op;
    }
    REQUIRE((op == 0x0a || op == 0x0b || op == 0x0c));
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 1u << (op - 0x0a); ++i) {
      value |= std::uint64_t{byte()} << 8 * i;
    }
    return value;
  }
  void value(std::size_t end) {
    const unsigned op = std::to_integer<unsigned>(aml[at]);
    if (op == 0x0d) {
      while (byte() != 0) {
      }
    } else if (op == 0x11) {
      ++at;
      const std::size_t inner = end_of_package(end);
      const std::uint64_t size = integer();
      REQUIRE(at + size == inner);
      REQUIRE(std::to_integer<unsigned>(aml[inner - 2]) == 0x79);
      at = inner;
    } else if (op == 0x12) {
      ++at;
      const std::size_t inner = end_of_package(end);
      for (unsigned count = byte(); count != 0; --count) {
        (void)integer();
      }
      REQUIRE(at == inner);
    } else {
      (void)integer();
    }
  }
  void objects(std::size_t end) {
    while (at < end) {
      const unsigned op = byte();
      if (op == 0x08) {
        name(std::to_integer<char>(aml[at]) == '\\' ? 5 : 4);
        value(end);
      } else if (op == 0x10) {
        const std::size_t inner = end_of_package(end);
        CHECK(name(5) == "\\_SB_");
        objects(inner);
      } else {
        REQUIRE(op == 0x5b);
        REQUIRE(byte() == 0x82);
        const std::size_t inner = end_of_package(end);
        devices += name(4) + " ";
        objects(inner);
      }
    }
    REQUIRE(at == end);
  }
};

}  // namespace

TEST_CASE("EISA ids have the encoding that iasl gives them") {
  STATIC_REQUIRE(eisa_id("PNP0A03") == 0x030a'd041);
  STATIC_REQUIRE(eisa_id("PNP0501") == 0x0105'd041);
}

TEST_CASE("L0's own ACPI reader finds the machine in its tables") {
  const Firmware firmware(config_of(3));
  acpi::Info info;
  acpi::read_acpi(firmware, {}, {}, info);  // the RSDP is found by searching
  CHECK(info.present);
  CHECK(info.problems.empty());
  CHECK(info.tables.size() == 2);
  REQUIRE(info.madt.present);
  REQUIRE(info.madt.cpus.size() == 3);
  CHECK(info.madt.cpus[2].apic_id == 2);
  CHECK(info.madt.cpus[2].enabled);
  CHECK(info.madt.lapic_base == Hpa(0xfee0'0000));
  CHECK(info.madt.has_8259);
  REQUIRE(info.madt.ioapics.size() == 1);
  CHECK(info.madt.ioapics[0].base == Hpa(0xfec0'0000));
  CHECK(info.madt.route_of(0).gsi == 2);
  CHECK_FALSE(info.madt.route_of(0).level);
  CHECK(info.madt.route_of(9).gsi == 9);
  CHECK(info.madt.route_of(9).level);
  CHECK_FALSE(info.madt.route_of(9).active_low);
  CHECK(info.madt.route_of(4).gsi == 4);
  REQUIRE(info.madt.nmis.size() == 1);
  CHECK(info.madt.nmis[0].all_cpus);
  CHECK(info.madt.nmis[0].lint == 1);
  CHECK(info.fadt.pm1a_control.address == kPm1ControlPort);
  CHECK(info.fadt.pm_timer.address == kPmTimerPort);
  CHECK(info.fadt.pm_timer_32_bits);
  CHECK(info.fadt.reset_register.address == 0xcf9);
  CHECK(info.fadt.reset_value == 0x06);
  CHECK(info.fadt.smi_command_port == 0);
  REQUIRE(info.s5.has_value());
  CHECK(info.s5->pm1a == kSleepTypeS5);
}

TEST_CASE("the FADT says what old and new readers need") {
  const Firmware firmware(config_of(1));
  acpi::Info info;
  acpi::read_acpi(firmware, {}, {}, info);
  const auto* fadt = info.find(acpi::signature("FACP"));
  REQUIRE(fadt != nullptr);
  CHECK(fadt->revision == 6);
  CHECK(fadt->length == 276);
  CHECK(fadt->get<std::uint16_t>(firmware, 109) == 0x0005);  // legacy devices, no 8042, no VGA
  CHECK(fadt->get<std::uint32_t>(firmware, 56) == kPm1EventPort);
  CHECK(fadt->get<std::uint8_t>(firmware, 108) == kCmosCentury);
  const auto facs = fadt->get<std::uint32_t>(firmware, 36).value();
  CHECK(facs % 64 == 0);
  CHECK(read_value<std::uint32_t>(firmware, Hpa(facs)) == acpi::signature("FACS"));
  CHECK(read_value<std::uint32_t>(firmware, Hpa(facs + 4)) == 64u);
}

TEST_CASE("RSDP checksums of both generations; RSDT and XSDT agree") {
  const Firmware firmware(config_of(2));
  CHECK(sum(std::span(firmware.bytes).first(20)) == 0);
  CHECK(sum(std::span(firmware.bytes).first(36)) == 0);
  const auto root = acpi::parse_rsdp(firmware.bytes);
  REQUIRE(root.has_value());
  const auto rsdt = firmware.table(root->rsdt);
  const auto xsdt = firmware.table(root->xsdt);
  CHECK(sum(rsdt) == 0);
  CHECK(sum(xsdt) == 0);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(read_value<std::uint32_t>(firmware, root->rsdt + 36 + i * 4).value() ==
          read_value<std::uint64_t>(firmware, root->xsdt + 36 + i * 8).value());
  }
}

TEST_CASE("the DSDT is well-formed and names every device") {
  for (const unsigned cpus : {1u, 2u, 16u}) {
    const Firmware firmware(config_of(cpus));
    acpi::Info info;
    acpi::read_acpi(firmware, {}, {}, info);
    const auto dsdt = firmware.table(info.fadt.dsdt);
    CHECK(sum(dsdt) == 0);
    AmlReader reader{dsdt, acpi::kHeaderSize, {}};
    reader.objects(dsdt.size());
    std::string expected = "PCI0 PIC_ TIMR RTC_ COM1 ";
    for (unsigned i = 0; i < cpus; ++i) {
      expected += std::string("CPU") + "0123456789ABCDEF"[i] + " ";
    }
    CHECK(reader.devices == expected);
  }
}

TEST_CASE("tables that do not fit or would not be found are refused") {
  std::vector<std::byte> buffer(kAcpiTablesMax);
  const auto used = write_acpi_tables(config_of(16), Gpa1(kBase), buffer);
  REQUIRE(used.has_value());
  for (const std::size_t size : {std::size_t{0}, std::size_t{40}, *used - 1}) {
    CHECK_FALSE(
        write_acpi_tables(config_of(16), Gpa1(kBase), std::span(buffer).first(size)).has_value());
  }
  CHECK_FALSE(write_acpi_tables(config_of(1), Gpa1(kBase + 16), buffer).has_value());
  CHECK_FALSE(write_acpi_tables(config_of(1), Gpa1(0x1'0000'0000), buffer).has_value());
}
