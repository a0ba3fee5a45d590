#include "hv/devices/acpi_tables.hpp"

#include <algorithm>

#include "hv/devices/acpi_dsdt.hpp"
#include "hv/devices/byte_writer.hpp"

namespace archelon::devices {
namespace {

constexpr std::string_view kOemId = "ARCHEL";
constexpr std::string_view kOemTableId = "ARCHELON";
constexpr std::size_t kRsdpSize = 36;
constexpr std::size_t kFacsSize = 64;
constexpr std::uint64_t kEnd32 = std::uint64_t{1} << 32;

// Addresses of the tables as they get known.
struct Addresses {
  std::uint64_t facs = 0;
  std::uint64_t dsdt = 0;
  std::uint64_t fadt = 0;
  std::uint64_t madt = 0;
  std::uint64_t rsdt = 0;
  std::uint64_t xsdt = 0;
};

// A system description table: header, what `body` writes, length and checksum. Answers its offset.
template <class Body>
std::size_t write_table(ByteWriter& out, std::string_view signature, std::uint8_t revision,
                        Body body) {
  out.align(8);
  const std::size_t begin = out.size();
  out.text(signature);
  out.u32(0);  // length
  out.u8(revision);
  out.u8(0);  // checksum
  out.text(kOemId);
  out.text(kOemTableId);
  out.u32(1);        // OEM revision
  out.text("ARCH");  // creator
  out.u32(1);
  body();
  out.patch(begin + 4, out.size() - begin, 4);
  out.patch_checksum(begin + 9, begin, out.size() - begin);
  return begin;
}

// A Generic Address Structure of an I/O register; none where `port` is 0.
void write_io_address(ByteWriter& out, std::uint16_t port, std::uint8_t bytes) {
  constexpr std::uint8_t kSystemIo = 1;
  if (port == 0) {
    out.zeros(12);
    return;
  }
  out.u8(kSystemIo);
  out.u8(bytes * 8u);
  out.u8(0);
  out.u8(bytes == 4 ? 3 : bytes);  // access size: 1 byte, 2 word, 3 dword
  out.u64(port);
}

// ACPI, "Firmware ACPI Control Structure (FACS)".
void write_facs(ByteWriter& out) {
  out.text("FACS");
  out.u32(kFacsSize);
  out.zeros(24);  // hardware signature to 64-bit waking vector: there is no sleep to wake from
  out.u8(2);      // version
  out.zeros(31);
}

// ACPI, "Fixed ACPI Description Table (FADT)".
void write_fadt_body(ByteWriter& out, const Addresses& at) {
  constexpr std::uint32_t kWbinvd = 1u << 0;
  constexpr std::uint32_t kC1Supported = 1u << 2;
  constexpr std::uint32_t kNoFixedSleepButton = 1u << 5;
  constexpr std::uint32_t kNoFixedRtcWake = 1u << 6;
  constexpr std::uint32_t kTimer32 = 1u << 8;
  constexpr std::uint32_t kResetRegister = 1u << 10;
  constexpr std::uint16_t kBootLegacyDevices = 1u << 0;  // and no 8042 keyboard, bit 1
  constexpr std::uint16_t kBootNoVga = 1u << 2;

  out.u32(at.facs);
  out.u32(at.dsdt);
  out.u8(0);
  out.u8(0);  // power profile: unspecified
  out.u16(kSciIrq);
  out.u32(0);    // no SMI command port: always in ACPI mode
  out.zeros(4);  // what would be written there
  out.u32(kPm1EventPort);
  out.u32(0);
  out.u32(kPm1ControlPort);
  out.u32(0);
  out.u32(0);
  out.u32(kPmTimerPort);
  out.u32(0);
  out.u32(0);
  out.u8(4);  // lengths: PM1 event, PM1 control, PM2, PM timer, GPE0, GPE1
  out.u8(2);
  out.u8(0);
  out.u8(4);
  out.u8(0);
  out.u8(0);
  out.zeros(2);
  out.u16(0x0fff);  // latencies that say: no C2, no C3
  out.u16(0x0fff);
  out.zeros(8);  // flush size and stride, duty cycle, day and month alarm
  out.u8(kCmosCentury);
  out.u16(kBootLegacyDevices | kBootNoVga);
  out.u8(0);
  out.u32(kWbinvd | kC1Supported | kNoFixedSleepButton | kNoFixedRtcWake | kTimer32 |
          kResetRegister);
  write_io_address(out, kResetPort, 1);
  out.u8(kResetValue);
  out.u16(0);
  out.u8(0);   // minor version
  out.u64(0);  // FACS above 4 GiB: no, see the first field
  out.u64(at.dsdt);
  write_io_address(out, kPm1EventPort, 4);
  write_io_address(out, 0, 0);
  write_io_address(out, kPm1ControlPort, 2);
  write_io_address(out, 0, 0);
  write_io_address(out, 0, 0);
  write_io_address(out, kPmTimerPort, 4);
  write_io_address(out, 0, 0);
  write_io_address(out, 0, 0);
  write_io_address(out, 0, 0);  // sleep control and status: hardware-reduced machines only
  write_io_address(out, 0, 0);
  out.zeros(8);  // hypervisor vendor
}

// ACPI, "Multiple APIC Description Table (MADT)".
void write_madt_body(ByteWriter& out, const MachineConfig& config) {
  enum Type : std::uint8_t { kLapic = 0, kIoapic = 1, kOverride = 2, kLapicNmi = 4 };
  constexpr std::uint32_t kPcatCompatible = 1;  // there are 8259s
  constexpr std::uint16_t kActiveHighLevel = 0x000d;
  const auto entry = [&](Type type, std::uint8_t length) {
    out.u8(type);
    out.u8(length);
  };
  const auto isa_override = [&](std::uint8_t line, std::uint32_t gsi, std::uint16_t flags) {
    entry(kOverride, 10);
    out.u8(0);
    out.u8(line);
    out.u32(gsi);
    out.u16(flags);
  };

  out.u32(kLapicBase.value());
  out.u32(kPcatCompatible);
  for (unsigned i = 0; i < std::clamp(config.cpus, 1u, kMaxCpus); ++i) {
    entry(kLapic, 8);
    out.u8(i);   // _UID in the DSDT
    out.u8(i);   // APIC id
    out.u32(1);  // enabled
  }
  entry(kIoapic, 12);
  out.u8(0);
  out.u8(0);
  out.u32(kIoapicBase.value());
  out.u32(0);
  isa_override(kPitIrq, kPitIoapicPin, 0);
  isa_override(kSciIrq, kSciIrq, kActiveHighLevel);
  entry(kLapicNmi, 6);
  out.u8(0xff);  // every CPU
  out.u16(0);
  out.u8(1);  // LINT1
}

void write_rsdp(ByteWriter& out, const Addresses& at) {
  const auto put = [&](std::size_t offset, std::uint64_t value, unsigned bytes) {
    out.patch(offset, value, bytes);
  };
  constexpr std::string_view kSignature = "RSD PTR ";
  for (std::size_t i = 0; i < kSignature.size(); ++i) {
    put(i, static_cast<unsigned char>(kSignature[i]), 1);
  }
  for (std::size_t i = 0; i < kOemId.size(); ++i) {
    put(9 + i, static_cast<unsigned char>(kOemId[i]), 1);
  }
  put(15, 2, 1);  // revision
  put(16, at.rsdt, 4);
  put(20, kRsdpSize, 4);
  put(24, at.xsdt, 8);
  out.patch_checksum(8, 0, 20);
  out.patch_checksum(32, 0, kRsdpSize);
}

}  // namespace

std::optional<std::size_t> write_acpi_tables(const MachineConfig& config, Gpa1 base,
                                             std::span<std::byte> buffer) {
  const std::uint64_t start = base.value();
  if (!base.is_aligned(64) || start >= kEnd32 || buffer.size() > kEnd32 - start) {
    return std::nullopt;
  }
  ByteWriter out(buffer);
  Addresses at;
  out.zeros(kRsdpSize);  // filled in last
  out.align(64);
  at.facs = start + out.size();
  write_facs(out);
  at.dsdt = start + write_table(out, "DSDT", 2, [&] { write_dsdt_body(out, config); });
  at.fadt = start + write_table(out, "FACP", 6, [&] { write_fadt_body(out, at); });
  at.madt = start + write_table(out, "APIC", 4, [&] { write_madt_body(out, config); });
  at.rsdt = start + write_table(out, "RSDT", 1, [&] {
              out.u32(at.fadt);
              out.u32(at.madt);
            });
  at.xsdt = start + write_table(out, "XSDT", 1, [&] {
              out.u64(at.fadt);
              out.u64(at.madt);
            });
  write_rsdp(out, at);
  return out.ok() ? std::optional(out.size()) : std::nullopt;
}

}  // namespace archelon::devices
