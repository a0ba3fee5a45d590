#include "hv/devices/uart.hpp"

#include <catch2/catch.hpp>

#include "tests/unit/devices/machine_fixture.hpp"

using namespace archelon;
using namespace archelon::devices;

namespace {
constexpr unsigned kData = 0, kIer = 1, kIir = 2, kFcr = 2, kLcr = 3, kMcr = 4, kLsr = 5, kMsr = 6;

struct Port : Uart {
  void put(unsigned index, std::uint8_t value) { (void)write(index, value); }
};
}  // namespace

TEST_CASE("a PC driver's probing finds a 16550A") {
  Port u;
  // IER keeps four bits, the scratch register all.
  u.put(kIer, 0xff);
  CHECK(u.read(kIer) == 0x0f);
  u.put(kIer, 0);
  CHECK(u.read(kIer) == 0);
  u.put(7, 0xa5);
  CHECK(u.read(7) == 0xa5);
  // Loopback: RTS and OUT2 come back as CTS and DCD.
  u.put(kMcr, 0x10 | 0x0a);
  CHECK((u.read(kMsr) & 0xf0) == 0x90);
  u.put(kMcr, 0x10 | 0x05);
  CHECK((u.read(kMsr) & 0xf0) == 0x60);
  u.put(kMcr, 0);
  CHECK((u.read(kMsr) & 0xf0) == 0xb0);
  // The FIFO bits tell a 16550A, with DLAB set too; bit 5 would be a 16750.
  CHECK(u.read(kIir) == 0x01);
  u.put(kFcr, 0x01);
  CHECK(u.read(kIir) == 0xc1);
  u.put(kLcr, 0x80);
  u.put(kFcr, 0x21);
  CHECK(u.read(kIir) == 0xc1);
  u.put(kData, 0x0c);
  u.put(kIer, 0x01);
  CHECK(u.read(kData) == 0x0c);
  u.put(kLcr, 0x03);
  CHECK(u.read(kIer) == 0);
}

TEST_CASE("the THRE interrupt comes back whenever it is enabled, and goes when it is read") {
  Port u;
  CHECK(u.read(kLsr) == 0x60);
  u.put(kIer, 0x02);
  CHECK(u.read(kIir) == 0x02);
  CHECK(u.read(kIir) == 0x01);
  u.put(kIer, 0x00);
  u.put(kIer, 0x02);
  CHECK(u.read(kIir) == 0x02);
  CHECK(u.write(kData, 'x') == std::uint8_t{'x'});
  CHECK(u.read(kIir) == 0x02);
}

TEST_CASE("received bytes wait in the FIFO, at the trigger level or as a timeout") {
  Port u;
  u.put(kFcr, 0x41);  // trigger at 4
  u.put(kIer, 0x01);
  u.put(kMcr, 0x08);
  CHECK_FALSE(u.line());
  for (char c : {'a', 'b', 'c'}) {
    CHECK(u.receive(static_cast<std::uint8_t>(c)));
  }
  CHECK(u.line());
  CHECK(u.read(kIir) == 0xcc);
  u.receive('d');
  CHECK(u.read(kIir) == 0xc4);
  for (char c : {'a', 'b', 'c', 'd'}) {
    CHECK(u.read(kLsr) == 0x61);
    CHECK(u.read(kData) == c);
  }
  CHECK(u.read(kLsr) == 0x60);
  CHECK_FALSE(u.line());
}

TEST_CASE("input beyond the FIFO is kept, and clearing the FIFO drops only what is in it") {
  Port u;
  u.put(kFcr, 0x01);
  for (unsigned i = 0; i < 40; ++i) {
    CHECK(u.receive(static_cast<std::uint8_t>(i)));
  }
  CHECK(u.read(kData) == 0);
  u.put(kFcr, 0x03);  // drops 1 to 16
  CHECK(u.read(kData) == 17);
  bool kept = true;
  for (unsigned i = 0; i < 2000; ++i) {
    kept = u.receive(0);
  }
  CHECK_FALSE(kept);
}

TEST_CASE("loopback keeps bytes inside and reports an overrun") {
  Port u;
  u.put(kFcr, 0x01);
  u.put(kMcr, 0x10);
  u.put(kIer, 0x04);
  u.receive('k');  // the wire is disconnected meanwhile
  for (unsigned i = 0; i < 17; ++i) {
    CHECK_FALSE(u.write(kData, static_cast<std::uint8_t>('A' + i)).has_value());
  }
  CHECK(u.read(kIir) == 0xc6);
  CHECK(u.read(kLsr) == 0x63);
  CHECK(u.read(kLsr) == 0x61);
  CHECK(u.read(kData) == 'A');
  u.put(kFcr, 0x03);
  u.put(kMcr, 0x00);
  CHECK(u.read(kData) == 'k');
}

TEST_CASE("modem status changes are reported once") {
  Port u;
  u.put(kMcr, 0x1f);
  (void)u.read(kMsr);
  u.put(kIer, 0x08);
  CHECK(u.read(kIir) == 0x01);
  u.put(kMcr, 0x10 | 0x08);  // RTS, DTR and OUT1 fall
  CHECK(u.read(kIir) == 0x00);
  CHECK(u.read(kMsr) == (0x80 | 0x01 | 0x02 | 0x04));
  CHECK(u.read(kMsr) == 0x80);
  CHECK(u.read(kIir) == 0x01);
}

TEST_CASE("each transmitted byte makes an edge at an edge-triggered IOAPIC pin") {
  TestMachine m;
  m.set_apic(0xf0, 0x1ff);
  m.ioapic(0x10 + 2 * 4, 0x31);
  m.out(0x3fc, 0x0b);
  m.out(0x3f9, 0x02);
  CHECK(m.machine.acknowledge_interrupt(0) == 0x31);
  m.set_apic(0xb0, 0);
  CHECK_FALSE(m.machine.has_pending(0));
  m.out(0x3f8, 'h');
  CHECK(m.machine.acknowledge_interrupt(0) == 0x31);
  m.set_apic(0xb0, 0);
  CHECK(m.host.console == "h");
  m.out(0x3fc, 0x03);  // OUT2 off: no interrupt leaves the card
  m.out(0x3f8, 'i');
  CHECK_FALSE(m.machine.has_pending(0));
  CHECK(m.host.console == "hi");
}

TEST_CASE("no interrupt leaves the card in loopback") {
  Port u;
  u.put(kIer, 0x02);
  u.put(kMcr, 0x18);
  CHECK(u.read(kIir) == 0x02);
  u.put(kIer, 0x00);
  u.put(kIer, 0x02);
  CHECK_FALSE(u.line());
  u.put(kMcr, 0x08);
  CHECK(u.line());
}
