#include "drivers/acpi/acpi.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/byte_builder.hpp"
#include "tests/support/sparse_memory.hpp"

using namespace archelon;
using namespace archelon::drivers::acpi;
using archelon::test::ByteBuilder;
using Memory = archelon::test::SparseMemory<Hpa>;

namespace {

void fix_sum(ByteBuilder& b, std::size_t at, std::size_t size) {
  b.patch<std::uint8_t>(at, 0);
  b.patch<std::uint8_t>(at, static_cast<std::uint8_t>(-byte_sum(b.view().first(size))));
}

ByteBuilder make_table(std::string_view signature, const ByteBuilder& content,
                       std::uint8_t revision = 1) {
  ByteBuilder b;
  b.text(signature).u32(36 + content.size()).u8(revision).u8(0).text("BOCHS ").text("BXPCTABL");
  b.u32(1).text("BXPC").u32(1).bytes(content.view());
  fix_sum(b, 9, b.size());
  return b;
}

ByteBuilder rsdp(std::uint8_t revision, std::uint32_t rsdt, std::uint64_t xsdt) {
  ByteBuilder b;
  b.text("RSD PTR ").u8(0).text("BOCHS ").u8(revision).u32(rsdt);
  fix_sum(b, 8, 20);
  if (revision >= 2) {
    b.u32(36).u64(xsdt).u8(0).u8(0).u16(0);
    fix_sum(b, 32, 36);
  }
  return b;
}

ByteBuilder madt_content() {
  ByteBuilder b;
  b.u32(0xfee00000).u32(1);
  b.u8(0).u8(8).u8(0).u8(0).u32(1);
  b.u8(0).u8(8).u8(1).u8(1).u32(1);
  b.u8(0).u8(8).u8(2).u8(2).u32(0);     // never there
  b.u8(0).u8(8).u8(3).u8(0xff).u32(1);  // empty slot
  b.u8(9).u8(16).u16(0).u32(0x120).u32(2).u32(7);
  b.u8(1).u8(12).u8(2).u8(0).u32(0xfec00000).u32(0);
  b.u8(1).u8(12).u8(3).u8(0).u32(0xfec01000).u32(24);
  b.u8(2).u8(10).u8(0).u8(0).u32(2).u16(0);
  b.u8(2).u8(10).u8(0).u8(9).u32(9).u16(0xd);
  b.u8(2).u8(10).u8(0).u8(11).u32(20).u16(0xf);
  b.u8(4).u8(6).u8(0xff).u16(0).u8(1);
  b.u8(0x55).u8(30).zeros(28);  // a kind of the future
  return b;
}

ByteBuilder fadt_content(std::size_t size, std::uint32_t flags) {
  ByteBuilder b;
  b.zeros(276 - 36);
  const auto at = [](std::size_t offset) { return offset - 36; };
  b.patch<std::uint32_t>(at(40), 0x5000);
  b.patch<std::uint16_t>(at(46), 9);
  b.patch<std::uint32_t>(at(48), 0xb2);
  b.patch<std::uint8_t>(at(52), 0xf1);
  b.patch<std::uint32_t>(at(64), 0xb004);
  b.patch<std::uint32_t>(at(76), 0xb008);
  b.patch<std::uint32_t>(at(112), flags);
  b.patch<std::uint32_t>(at(116), 0x00000801);  // system I/O, 8 bits
  b.patch<std::uint64_t>(at(120), 0xcf9);
  b.patch<std::uint8_t>(at(128), 0xf);
  b.patch<std::uint64_t>(at(140), 0);
  b.patch<std::uint32_t>(at(172), 0x00001001);
  b.patch<std::uint64_t>(at(176), 0x604);
  b.raw().resize(size - 36);
  return b;
}

// AML: some code, Name(_S5_, Package(4){5, 5, 0, 0}) as iasl encodes it, some code.
ByteBuilder dsdt_content(std::size_t before) {
  ByteBuilder b;
  b.zeros(before).text("_S5_").u8(0);  // a mention that is no package
  b.u8(0x08).text("_S5_").u8(0x12).u8(0x08).u8(0x04).u8(0x0a).u8(5).u8(0x0a).u8(3).u8(0).u8(0);
  return b.zeros(40);
}

struct Machine {
  Memory memory;
  std::unique_ptr<Info> info = std::make_unique<Info>();

  Machine& put(std::uint64_t at, const ByteBuilder& bytes) {
    memory.place(Hpa(at), bytes.view());
    return *this;
  }
  void read(const ByteBuilder& new_copy, const ByteBuilder& old_copy) {
    read_acpi(memory, new_copy.view(), old_copy.view(), *info);
  }
};

}  // namespace

TEST_CASE("A PC's tables by XSDT") {
  Machine m;
  m.put(0x1000,
        make_table(
            "XSDT",
            ByteBuilder().u64(0x2000).u64(0).u64(0x3000).u64(0x4000).u64(0x6000).u64(0x7000).u64(
                0x1'0000'0000)));
  m.put(0x2000, make_table("FACP", fadt_content(276, 0x500), 4));
  m.put(0x3000, make_table("APIC", madt_content(), 3));
  m.put(0x4000, make_table("MCFG", ByteBuilder()
                                       .u64(0)
                                       .u64(0xb0000000)
                                       .u16(0)
                                       .u8(0)
                                       .u8(255)
                                       .u32(0)
                                       .u64(0xb0000001)
                                       .u16(1)
                                       .u8(0)
                                       .u8(255)
                                       .u32(0)));
  m.put(0x5000, make_table("DSDT", dsdt_content(300)));
  m.put(0x6000, make_table("HPET", ByteBuilder().u32(0x8086a201).u32(0).u64(0xfed00000).u32(0)));
  m.put(0x7000, make_table("DMAR", ByteBuilder().u8(38).u8(1).zeros(10)));
  m.read(rsdp(2, 0, 0x1000), ByteBuilder());
  const Info& info = *m.info;
  CHECK(info.present);
  CHECK(info.tables.size() == 5);
  REQUIRE(info.problems.size() == 2);  // the unreadable table and the misaligned MCFG entry
  CHECK(info.problems[0].text == "table is not in readable memory");

  CHECK(info.madt.present);
  CHECK(info.madt.lapic_base == Hpa(0xfee00000));
  REQUIRE(info.madt.cpus.size() == 3);
  CHECK(info.madt.cpus[1].apic_id == 1);
  CHECK(info.madt.cpus[1].enabled);
  CHECK(info.madt.cpus[2].apic_id == 0x120);
  CHECK_FALSE(info.madt.cpus[2].enabled);
  CHECK(info.madt.route_of(0).gsi == 2);
  CHECK_FALSE(info.madt.route_of(0).level);
  CHECK(info.madt.route_of(9).level);
  CHECK_FALSE(info.madt.route_of(9).active_low);
  CHECK(info.madt.route_of(11).active_low);
  CHECK(info.madt.route_of(4).gsi == 4);
  CHECK(info.madt.ioapic_of(23)->base == Hpa(0xfec00000));
  CHECK(info.madt.ioapic_of(24)->base == Hpa(0xfec01000));
  REQUIRE(info.madt.nmis.size() == 1);
  CHECK(info.madt.nmis[0].all_cpus);

  CHECK(info.fadt.pm1a_control.address == 0x604);  // the extended field
  CHECK(info.fadt.pm_timer.address == 0xb008);     // the old one
  CHECK(info.fadt.pm_timer.space == GenericAddress::Space::kIo);
  CHECK(info.fadt.pm_timer_32_bits);
  CHECK(info.fadt.reset_register.address == 0xcf9);
  CHECK(info.fadt.reset_value == 0xf);
  CHECK(info.fadt.smi_command_port == 0xb2);
  REQUIRE(info.s5);
  CHECK(info.s5->pm1a == 5);
  CHECK(info.s5->pm1b == 3);
  CHECK(info.hpet == Hpa(0xfed00000));
  REQUIRE(info.dmar);
  CHECK(info.dmar->base == Hpa(0x7000));
  REQUIRE(info.ecam.size() == 1);
  CHECK(info.ecam[0].last_bus == 255);
}

TEST_CASE("ACPI 1.0: RSDT, short FADT, RSDP found in memory") {
  Machine m;
  m.put(0x40e, ByteBuilder().u16(0x9fc0));
  m.put(0x9fc00, ByteBuilder().zeros(1024));
  m.put(0xe0000, ByteBuilder().zeros(0x20000));
  m.put(0xfa170, rsdp(0, 0x1000, 0));
  m.put(0x1000, make_table("RSDT", ByteBuilder().u32(0x2000)));
  m.put(0x2000, make_table("FACP", fadt_content(116, 0x400)));
  m.put(0x5000, make_table("DSDT", dsdt_content(0)));
  m.read(ByteBuilder(), ByteBuilder());
  CHECK(m.info->present);
  CHECK(m.info->problems.empty());
  CHECK_FALSE(m.info->madt.present);
  CHECK(m.info->madt.lapic_base == kDefaultLapicBase);
  CHECK(m.info->fadt.pm1a_control.address == 0xb004);
  CHECK_FALSE(m.info->fadt.reset_register.present());
  CHECK_FALSE(m.info->fadt.pm_timer_32_bits);
  CHECK(m.info->s5->pm1a == 5);
}

TEST_CASE("The RSDP's checksums, revisions and lengths") {
  CHECK(parse_rsdp(rsdp(0, 0x1000, 0).view())->rsdt == Hpa(0x1000));
  CHECK(parse_rsdp(rsdp(2, 0x1000, 0x2000).view())->xsdt == Hpa(0x2000));
  CHECK_FALSE(parse_rsdp(rsdp(0, 0, 0).view()));
  CHECK_FALSE(parse_rsdp(rsdp(0, 0x1000, 0).patch<char>(0, 'X').view()));
  CHECK_FALSE(parse_rsdp(rsdp(0, 0x1000, 0).patch<char>(16, 'X').view()));
  CHECK_FALSE(parse_rsdp(rsdp(0, 0x1000, 0).view().first(19)));
  // A broken extension falls back to the RSDT.
  auto extended = rsdp(2, 0x1000, 0x2000);
  CHECK(parse_rsdp(extended.view().first(35))->xsdt == Hpa(0));
  extended.patch<std::uint32_t>(20, 0xffffffff);
  CHECK(parse_rsdp(extended.view())->xsdt == Hpa(0));
  CHECK(parse_rsdp(extended.view())->rsdt == Hpa(0x1000));
}

TEST_CASE("Hostile tables are left out with a reason") {
  SECTION("no RSDP at all") {
    Machine m;
    m.read(ByteBuilder(), ByteBuilder());
    CHECK_FALSE(m.info->present);
    CHECK(m.info->problems[0].text == "no valid RSDP");
  }
  SECTION("wrong sums and lengths") {
    Machine m;
    m.put(0x1000,
          make_table("RSDT", ByteBuilder().u32(0x2000).u32(0x3000).u32(0x4000).u32(0xfffffff0)));
    m.put(0x2000, make_table("APIC", madt_content()).patch<std::uint8_t>(40, 0));
    m.put(0x3000, make_table("HPET", ByteBuilder()).patch<std::uint32_t>(4, 35));
    m.put(0x4000, make_table("MCFG", ByteBuilder()).patch<std::uint32_t>(4, 0xffffffff));
    m.read(ByteBuilder(), rsdp(0, 0x1000, 0));
    CHECK(m.info->tables.empty());
    REQUIRE(m.info->problems.size() == 4);
    CHECK(m.info->problems[0].text == "table has a wrong checksum");
    CHECK(m.info->problems[1].text == "table has an impossible length");
    CHECK(m.info->problems[2].text == "table has an impossible length");
  }
  SECTION("a broken XSDT falls back to the RSDT") {
    Machine m;
    m.put(0x1000, make_table("XSDT", ByteBuilder()).patch<std::uint8_t>(9, 0));
    m.put(0x1800, make_table("RSDT", ByteBuilder().u32(0x3000)));
    m.put(0x3000, make_table("HPET", ByteBuilder().u32(0).u32(0).u64(0xfed00001).u32(0)));
    m.read(rsdp(2, 0x1800, 0x1000), ByteBuilder());
    CHECK(m.info->tables.size() == 1);
    CHECK_FALSE(m.info->hpet);
    CHECK(m.info->problems.size() == 2);
  }
  SECTION("MADT entries of size 0, 1, too long, too short for their kind, twice the same CPU") {
    for (const int size : {0, 1, 9}) {
      Machine m;
      m.put(0x1000, make_table("RSDT", ByteBuilder().u32(0x2000)));
      m.put(0x2000, make_table("APIC", ByteBuilder()
                                           .u32(0)
                                           .u32(0)
                                           .u8(0)
                                           .u8(4)
                                           .u16(0)
                                           .u8(0)
                                           .u8(8)
                                           .u16(0x0102)
                                           .u32(1)
                                           .u8(0)
                                           .u8(8)
                                           .u16(0x0103)
                                           .u32(1)
                                           .u8(0)
                                           .u8(size)
                                           .zeros(6)));
      m.read(ByteBuilder(), rsdp(0, 0x1000, 0));
      CHECK(m.info->madt.cpus.size() == 1);
      CHECK_FALSE(m.info->madt.has_8259);
      REQUIRE(m.info->problems.size() == 3);
      CHECK(m.info->problems[0].text == "entry is too short for its kind");
      CHECK(m.info->problems[1].text == "two CPUs with the same APIC ID");
      CHECK(m.info->problems[2].text == "table ends within an entry");
    }
  }
}

TEST_CASE("The _S5_ package in its encodings, wherever it lies in the DSDT") {
  for (std::size_t before = 200; before < 270; ++before) {
    Machine m;
    m.put(0x5000, make_table("DSDT", dsdt_content(before)));
    const auto table = open_table(m.memory, Hpa(0x5000));
    REQUIRE(table.ok());
    const auto s5 = find_s5(m.memory, *table);
    REQUIRE(s5);
    CHECK(s5->pm1a == 5);
  }
  const std::byte name{0x08};
  const auto parse = [&](const ByteBuilder& b) { return parse_s5_package(name, b.view()); };
  const auto head = [] { return ByteBuilder().text("_S5_").u8(0x12); };
  CHECK(parse(head().u8(0x40).u8(0x0a).u8(2).u8(0x0b).u16(7).u8(1))->pm1a == 7);
  CHECK(parse(head().u8(6).u8(2).u8(0).u8(0))->pm1a == 0);
  CHECK(parse(head().u8(6).u8(1).u8(0x0b).u16(0x0305))->pm1b == 3);
  CHECK_FALSE(parse(head().u8(6).u8(0).u8(0).u8(0)));
  CHECK_FALSE(parse(head().u8(6).u8(2).u8(0x0a)));
  CHECK_FALSE(parse(head().u8(0xc0)));
  CHECK_FALSE(parse(head().u8(6).u8(2).u8(0x70).u8(0)));
  CHECK_FALSE(parse_s5_package(std::byte{0}, head().u8(6).u8(2).u8(0).u8(0).view()));
  CHECK(pm1_sleep_value(0x0001, 5) == 0x3401);
  CHECK(pm1_sleep_value(0x1c01, 0) == 0x2001);
}
