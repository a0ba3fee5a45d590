#include "hv/devices/acpi_dsdt.hpp"

#include <algorithm>

#include "hv/devices/aml.hpp"

namespace archelon::devices {
namespace {

void write_pci_root(Aml& aml, const MachineConfig& config) {
  aml.device("PCI0", [&] {
    aml.named_integer("_HID", eisa_id("PNP0A03"));
    aml.named_integer("_UID", 0);
    aml.named_integer("_BBN", 0);
    aml.named_resources("_CRS", [&] {
      aml.bus_numbers(0, 0xff);
      aml.io(0xcf8, 8);
      aml.io_window(0, 0xcf7);
      aml.io_window(0xd00, 0xffff);
      if (config.low_memory_limit < kIoapicBase.value()) {
        aml.memory_window(static_cast<std::uint32_t>(config.low_memory_limit),
                          static_cast<std::uint32_t>(kIoapicBase.value() - 1));
      }
    });
  });
}

void write_legacy_devices(Aml& aml) {
  aml.device("PIC_", [&] {
    aml.named_integer("_HID", eisa_id("PNP0000"));
    aml.named_resources("_CRS", [&] {
      aml.io(0x20, 2);
      aml.io(0xa0, 2);
      aml.io(0x4d0, 2);
      aml.irq(2);
    });
  });
  aml.device("TIMR", [&] {
    aml.named_integer("_HID", eisa_id("PNP0100"));
    aml.named_resources("_CRS", [&] {
      aml.io(0x40, 4);
      aml.irq(kPitIrq);
    });
  });
  aml.device("RTC_", [&] {
    aml.named_integer("_HID", eisa_id("PNP0B00"));
    aml.named_resources("_CRS", [&] {
      aml.io(0x70, 2);
      aml.irq(kRtcIrq);
    });
  });
  aml.device("COM1", [&] {
    aml.named_integer("_HID", eisa_id("PNP0501"));
    aml.named_integer("_UID", 1);
    aml.named_resources("_CRS", [&] {
      aml.io(kUartPort, 8);
      aml.irq(kUartIrq);
    });
  });
}

void write_processors(Aml& aml, unsigned cpus) {
  for (unsigned i = 0; i < cpus; ++i) {
    const char digit = static_cast<char>(i < 10 ? '0' + i : 'A' + (i - 10));
    const char name[] = {'C', 'P', 'U', digit};
    aml.device(std::string_view(name, sizeof name), [&] {
      aml.named_string("_HID", "ACPI0007");
      aml.named_integer("_UID", i);
    });
  }
}

static_assert(kMaxCpus <= 36, "processor names have one character for the number");

}  // namespace

void write_dsdt_body(ByteWriter& out, const MachineConfig& config) {
  Aml aml(out);
  aml.named_package("\\_S5_", 4, [&] {
    aml.integer(kSleepTypeS5);  // PM1a
    aml.integer(kSleepTypeS5);  // PM1b, which is not there
    aml.integer(0);
    aml.integer(0);
  });
  aml.scope("\\_SB_", [&] {
    write_pci_root(aml, config);
    write_legacy_devices(aml);
    write_processors(aml, std::clamp(config.cpus, 1u, kMaxCpus));
  });
}

}  // namespace archelon::devices
