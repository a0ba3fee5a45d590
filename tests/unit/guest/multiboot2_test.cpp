#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hv/guest/loader.hpp"
#include "hv/guest/multiboot2_loader.hpp"
#include "tests/support/guest_ram.hpp"
#include "tests/support/multiboot_image.hpp"

using namespace archelon;
using namespace archelon::guest;
using archelon::test::ByteBuilder;
using archelon::test::elf32;
using archelon::test::GuestRam;
using archelon::test::multiboot2_header;

namespace {

struct Case {
  explicit Case(ByteBuilder bytes = {}) : file(std::move(bytes)) {}

  ByteBuilder file;
  MemoryLayout layout = MemoryLayout::of(64 * kMiB).value();
  std::string command_line = "console=com1";
  std::vector<BootModule> modules;
  std::vector<std::byte> rsdp;

  [[nodiscard]] BootRequest request() const {
    return {file.view(), command_line, modules, layout, Gpa1{0xE0000}, rsdp};
  }
  [[nodiscard]] LoadError error() const {
    GuestRam ram(layout);
    return load_kernel(ram, request()).error();
  }
  [[nodiscard]] LoadFault fault() const { return error().fault; }
};

// A kernel at 2 MiB with these header tags.
Case with_tags(const ByteBuilder& tags) {
  ByteBuilder content = multiboot2_header(tags);
  content.align(16).text("code").align(64);
  return Case{elf32(0x20'0000, {{0x20'0000, 0x20'0000, 0x3000, content}})};
}

ByteBuilder tag(unsigned type, unsigned flags, const std::vector<std::uint32_t>& words) {
  ByteBuilder bytes;
  bytes.u16(type).u16(flags).u32(8 + 4 * words.size());
  for (const std::uint32_t word : words) {
    bytes.u32(word);
  }
  return bytes.align(8);
}

ByteBuilder relocatable(std::uint32_t min, std::uint32_t max, std::uint32_t align,
                        std::uint32_t preference) {
  return tag(10, 1, {min, max, align, preference});
}

// The tags of the boot information by type; the last one of each.
std::map<std::uint32_t, std::uint64_t> read_tags(GuestRam& ram, std::uint64_t info) {
  std::map<std::uint32_t, std::uint64_t> tags;
  const std::uint64_t end = info + ram.get<std::uint32_t>(info);
  REQUIRE(ram.get<std::uint32_t>(info + 4) == 0);
  std::uint64_t at = info + 8;
  while (at < end) {
    const auto type = ram.get<std::uint32_t>(at);
    const auto size = ram.get<std::uint32_t>(at + 4);
    REQUIRE(size >= 8);
    tags[type] = at;
    at += align_up(size, 8);
  }
  REQUIRE(at == end);
  REQUIRE(tags.contains(0));
  REQUIRE(tags[0] == end - 8);
  return tags;
}

}  // namespace

TEST_CASE("an ELF kernel by multiboot 2 gets the protocol's machine state and information") {
  Case c = with_tags(tag(1, 0, {4, 6, 8, 21}));
  CHECK(kernel_kind(c.file.view()) == KernelKind::kMultiboot2);
  const std::array<std::byte, 3> data{std::byte{1}, std::byte{2}, std::byte{3}};
  c.modules = {{data, "one"}, {data, "archelon.conf"}};
  c.rsdp.assign(36, std::byte{0x5A});
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  CHECK(state.rip == 0x20'0000);
  CHECK(state.gprs[Gpr::kRax] == 0x36D7'6289);
  CHECK(state.cr0 == 0x11);
  const std::uint64_t info = state.gprs[Gpr::kRbx];
  CHECK(info % 8 == 0);
  auto tags = read_tags(ram, info);
  CHECK(ram.text(tags.at(1) + 8) == "console=com1");
  CHECK(ram.get<std::uint32_t>(tags.at(1) + 4) == 8 + 13);
  CHECK(ram.text(tags.at(2) + 8).find("Archelon") == 0);
  CHECK(ram.text(tags.at(3) + 16) == "archelon.conf");
  CHECK(ram.get<std::uint32_t>(tags.at(3) + 8) == 0x20'4000);
  CHECK(ram.get<std::uint32_t>(tags.at(3) + 12) == 0x20'4003);
  CHECK(ram.get<std::uint8_t>(0x20'3002) == 3);
  CHECK(ram.get<std::uint32_t>(tags.at(4) + 8) == 640);
  CHECK(ram.get<std::uint32_t>(tags.at(4) + 12) == 63 * 1024);
  CHECK(ram.get<std::uint32_t>(tags.at(6) + 8) == 24);
  CHECK(ram.get<std::uint32_t>(tags.at(6) + 4) == 16 + 24 * c.layout.map().size());
  for (std::size_t i = 0; i < c.layout.map().size(); ++i) {
    CHECK(ram.get<std::uint64_t>(tags.at(6) + 16 + i * 24) == c.layout.map()[i].base.value());
    CHECK(ram.get<std::uint64_t>(tags.at(6) + 24 + i * 24) == c.layout.map()[i].size);
  }
  CHECK(ram.get<std::uint32_t>(tags.at(14) + 4) == 28);
  CHECK(ram.get<std::uint32_t>(tags.at(15) + 4) == 44);
  CHECK(ram.get<std::uint8_t>(tags.at(15) + 43) == 0x5A);
  CHECK_FALSE(tags.contains(9));
  CHECK_FALSE(tags.contains(21));
}

TEST_CASE("an ACPI 1.0 root pointer makes only the old tag") {
  Case c = with_tags({});
  c.rsdp.assign(20, std::byte{1});
  GuestRam ram(c.layout);
  const auto tags = read_tags(ram, load_kernel(ram, c.request()).value().gprs[Gpr::kRbx]);
  CHECK(tags.contains(14));
  CHECK_FALSE(tags.contains(15));
}

TEST_CASE("section headers come as tag 9") {
  ByteBuilder content = multiboot2_header({});
  Case c{elf32(0x20'0000, {{0x20'0000, 0x20'0000, 0x1000, content}}, true)};
  GuestRam ram(c.layout);
  auto tags = read_tags(ram, load_kernel(ram, c.request()).value().gprs[Gpr::kRbx]);
  const std::uint64_t at = tags.at(9);
  CHECK(ram.get<std::uint32_t>(at + 4) == 20 + 3 * 40);
  CHECK(ram.get<std::uint32_t>(at + 8) == 3);
  CHECK(ram.get<std::uint32_t>(at + 12) == 40);
  CHECK(ram.get<std::uint32_t>(at + 16) == 2);
  CHECK(ram.text(ram.get<std::uint32_t>(at + 20 + 80 + 12)) == "strings");
}

TEST_CASE("required tags that cannot be met refuse the kernel, optional ones do not") {
  const auto check = [](unsigned type, const std::vector<std::uint32_t>& words, LoadFault fault) {
    CAPTURE(type);
    CHECK(with_tags(tag(type, 0, words)).fault() == fault);
    Case optional = with_tags(tag(type, 1, words));
    GuestRam ram(optional.layout);
    CHECK(load_kernel(ram, optional.request()).ok());
  };
  check(5, {800, 600, 32}, LoadFault::kMultibootVideo);
  check(4, {1}, LoadFault::kMultibootVideo);
  check(11, {}, LoadFault::kMultiboot2RequiredTag);
  check(1, {4, 22}, LoadFault::kMultiboot2RequiredInfo);
  CHECK(with_tags(tag(99, 0, {})).error().first == 99);
  for (const unsigned efi : {6U, 7U, 8U, 9U}) {  // understood, without effect here
    Case c = with_tags(tag(efi, 0, {0x1234}));
    GuestRam ram(c.layout);
    CHECK(load_kernel(ram, c.request()).value().rip == 0x20'0000);
  }
}

TEST_CASE("the entry address tag overrides the ELF entry") {
  Case c = with_tags(tag(3, 0, {0x20'0040}));
  GuestRam ram(c.layout);
  CHECK(load_kernel(ram, c.request()).value().rip == 0x20'0040);
  CHECK(with_tags(tag(3, 0, {0x30'0000})).fault() == LoadFault::kEntryOutside);
}

TEST_CASE("the address tag loads a flat file") {
  const auto flat = [](std::uint32_t header, std::uint32_t load, std::uint32_t end) {
    ByteBuilder tags = tag(2, 0, {header, load, end, 0});
    tags.bytes(tag(3, 0, {0x30'0020}).view());
    ByteBuilder file;
    file.zeros(32).bytes(multiboot2_header(tags).view()).text("the code itself");
    return Case{file};
  };
  Case c = flat(0x30'0020, 0x30'0020, 0);  // from the header on
  GuestRam ram(c.layout);
  CHECK(load_kernel(ram, c.request()).value().rip == 0x30'0020);
  CHECK(ram.get<std::uint32_t>(0x30'0020) == 0xE852'50D6);

  Case start = flat(0x30'0020, 0xFFFF'FFFF, 0);  // from the file's start on
  GuestRam other(start.layout);
  REQUIRE(load_kernel(other, start.request()).ok());
  CHECK(other.get<std::uint32_t>(0x30'0020) == 0xE852'50D6);

  CHECK(flat(0x10, 0xFFFF'FFFF, 0).fault() == LoadFault::kAddressFields);
  ByteBuilder no_entry;
  no_entry.bytes(multiboot2_header(tag(2, 0, {0x30'0000, 0x30'0000, 0, 0})).view());
  CHECK(Case{no_entry}.fault() == LoadFault::kNoLoadAddress);
}

TEST_CASE("a relocatable kernel goes where its tag prefers") {
  const auto loaded = [](const ByteBuilder& tags, std::uint64_t& rip) {
    Case c = with_tags(tags);
    GuestRam ram(c.layout);
    const BootState state = load_kernel(ram, c.request()).value();
    rip = state.rip;
    const auto base = ram.get<std::uint32_t>(read_tags(ram, state.gprs[Gpr::kRbx]).at(21) + 8);
    CHECK(ram.get<std::uint32_t>(base) == 0xE852'50D6);
    return base;
  };
  std::uint64_t rip = 0;
  CHECK(loaded(relocatable(0, 0xFFFF'FFFF, 0x1000, 0), rip) == 0x20'0000);
  CHECK(loaded(relocatable(0x80'0000, 0xFFFF'FFFF, 0x1000, 0), rip) == 0x80'0000);
  CHECK(rip == 0x80'0000);
  CHECK(loaded(relocatable(0, 0xFFFF'FFFF, 0x1000, 1), rip) == 0x10'0000);
  CHECK(loaded(relocatable(0, 0xFFFF'FFFF, 0x20'0000, 1), rip) == 0x20'0000);
  CHECK(loaded(relocatable(0, 0xFFFF'FFFF, 0x20'0000, 2), rip) == 0x3E0'0000);
  CHECK(loaded(relocatable(0, 0x10'2FFF, 0x1000, 2), rip) == 0x10'0000);

  CHECK(with_tags(relocatable(0, 0x10'2FFE, 0x1000, 2)).fault() == LoadFault::kMultibootRelocation);
  CHECK(with_tags(relocatable(0x400'0000, 0xFFFF'FFFF, 0x1000, 0)).fault() ==
        LoadFault::kMultibootRelocation);
  CHECK(with_tags(relocatable(0, 0xFFFF'FFFF, 3, 0)).fault() == LoadFault::kMultiboot2MalformedTag);
  CHECK(with_tags(relocatable(0, 0xFFFF'FFFF, 1, 3)).fault() == LoadFault::kMultiboot2MalformedTag);
}

TEST_CASE("a multiboot 2 header that lies is refused by name") {
  SECTION("no end tag") {
    ByteBuilder file = multiboot2_header({});
    file.patch(16, std::uint16_t{6}).zeros(64);
    CHECK(Case{file}.fault() == LoadFault::kMultibootHeaderCutOff);
  }
  SECTION("tag longer than the header") {
    ByteBuilder tags = tag(6, 1, {});
    tags.patch(4, std::uint32_t{0xFFFF'FFFF});
    CHECK(with_tags(tags).fault() == LoadFault::kMultiboot2MalformedTag);
  }
  SECTION("tag shorter than itself") {
    ByteBuilder tags = tag(6, 1, {});
    tags.patch(4, std::uint32_t{0});
    CHECK(with_tags(tags).fault() == LoadFault::kMultiboot2MalformedTag);
  }
  SECTION("tags without their content") {
    for (const unsigned type : {2U, 3U, 10U}) {
      CHECK(with_tags(tag(type, 0, {})).fault() == LoadFault::kMultiboot2MalformedTag);
    }
  }
  SECTION("other architecture") {
    ByteBuilder file = multiboot2_header({}, 4);
    CHECK(Case{file}.fault() == LoadFault::kMultibootArchitecture);
  }
  SECTION("header longer than the file") {
    ByteBuilder file;
    const std::uint32_t length = 4096;
    file.u32(0xE852'50D6).u32(0).u32(length).u32(0 - 0xE852'50D6 - length).zeros(16);
    CHECK(Case{file}.fault() == LoadFault::kMultibootHeaderCutOff);
  }
}
