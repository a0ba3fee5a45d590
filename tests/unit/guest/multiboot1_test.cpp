#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "hv/guest/loader.hpp"
#include "hv/guest/multiboot1_loader.hpp"
#include "tests/support/guest_ram.hpp"
#include "tests/support/multiboot_image.hpp"

using namespace archelon;
using namespace archelon::guest;
using archelon::test::ByteBuilder;
using archelon::test::elf32;
using archelon::test::GuestRam;
using archelon::test::multiboot1_header;

namespace {

struct Case {
  explicit Case(ByteBuilder bytes = {}) : file(std::move(bytes)) {}

  ByteBuilder file;
  MemoryLayout layout = MemoryLayout::of(64 * kMiB).value();
  std::string command_line = "arg=1";
  std::vector<BootModule> modules;

  [[nodiscard]] BootRequest request() const {
    return {file.view(), command_line, modules, layout, Gpa1{0xE0000}, {}};
  }
  [[nodiscard]] LoadFault fault() const {
    GuestRam ram(layout);
    return load_kernel(ram, request()).error().fault;
  }
};

ByteBuilder content(std::uint32_t flags = 3) {
  ByteBuilder bytes = multiboot1_header(flags);
  bytes.text("kernel code").align(16);
  return bytes;
}

}  // namespace

TEST_CASE("an ELF kernel by multiboot 1 gets the protocol's machine state") {
  Case c{elf32(0x10'0010, {{0x10'0000, 0x10'0000, 0x2000, content()}})};
  CHECK(kernel_kind(c.file.view()) == KernelKind::kMultiboot1);
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  CHECK(state.rip == 0x10'0010);
  CHECK(state.gprs[Gpr::kRax] == 0x2BAD'B002);
  CHECK(state.cr0 == 0x11);
  CHECK(state.cs.access_rights == 0xC09B);
  CHECK(state.ss.access_rights == 0xC093);
  CHECK((state.rflags & 0x200) == 0);
  CHECK(ram.get<std::uint32_t>(0x10'0000) == 0x1BAD'B002);
  CHECK(ram.get<std::uint64_t>(0x10'1FF8) == 0);
  CHECK(ram.get<std::uint64_t>(state.gdtr.base + state.cs.selector) == kBootGdtProtected[2]);
}

TEST_CASE("the multiboot 1 information tells memory, command line and modules") {
  const std::array<std::byte, 5> data{std::byte{9}, std::byte{8}};
  Case c{elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x2001, content()}})};
  c.modules = {{data, "first x=1"}, {data, ""}};
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  const std::uint64_t info = state.gprs[Gpr::kRbx];
  CHECK(ram.get<std::uint32_t>(info) == 0x24D);  // memory, command line, modules, map, loader
  CHECK(ram.get<std::uint32_t>(info + 4) == 640);
  CHECK(ram.get<std::uint32_t>(info + 8) == 63 * 1024);
  CHECK(ram.text(ram.get<std::uint32_t>(info + 16)) == "arg=1");
  CHECK(ram.text(ram.get<std::uint32_t>(info + 64)).find("GRUB 2") != std::string::npos);
  REQUIRE(ram.get<std::uint32_t>(info + 20) == 2);
  const std::uint64_t mods = ram.get<std::uint32_t>(info + 24);
  const std::uint64_t first = ram.get<std::uint32_t>(mods);
  CHECK(first == 0x10'3000);  // the first page after the kernel
  CHECK(ram.get<std::uint32_t>(mods + 4) == first + 5);
  CHECK(ram.text(ram.get<std::uint32_t>(mods + 8)) == "first x=1");
  CHECK(ram.get<std::uint16_t>(first) == 0x0809);
  CHECK(ram.get<std::uint32_t>(mods + 16) == 0x10'4000);
  REQUIRE(ram.get<std::uint32_t>(info + 44) == c.layout.map().size() * 24);
  std::uint64_t entry = ram.get<std::uint32_t>(info + 48);
  for (const MemoryMapEntry& expected : c.layout.map()) {
    CHECK(ram.get<std::uint32_t>(entry) == 20);
    CHECK(ram.get<std::uint64_t>(entry + 4) == expected.base.value());
    CHECK(ram.get<std::uint64_t>(entry + 12) == expected.size);
    CHECK(ram.get<std::uint32_t>(entry + 20) == static_cast<std::uint32_t>(expected.type));
    entry += 24;
  }
}

TEST_CASE("a higher-half kernel is entered at its physical address") {
  Case c{elf32(0xC010'0020, {{0xC010'0000, 0x10'0000, 0x1000, content()}})};
  GuestRam ram(c.layout);
  CHECK(load_kernel(ram, c.request()).value().rip == 0x10'0020);
  // An entry that is physical already stays.
  Case physical{elf32(0x10'0020, {{0xC010'0000, 0x10'0000, 0x1000, content()}})};
  CHECK(load_kernel(ram, physical.request()).value().rip == 0x10'0020);
}

TEST_CASE("symbols come with the section headers") {
  Case c{elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content()}}, true)};
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  const std::uint64_t info = state.gprs[Gpr::kRbx];
  CHECK((ram.get<std::uint32_t>(info) & 0x20) != 0);
  REQUIRE(ram.get<std::uint32_t>(info + 28) == 3);
  CHECK(ram.get<std::uint32_t>(info + 32) == 40);
  CHECK(ram.get<std::uint32_t>(info + 40) == 2);
  const std::uint64_t table = ram.get<std::uint32_t>(info + 36);
  CHECK(ram.text(ram.get<std::uint32_t>(table + 2 * 40 + 12)) == "strings");
  const std::uint64_t symbols = ram.get<std::uint32_t>(table + 40 + 12);
  CHECK(ram.get<std::uint64_t>(symbols) == 0x5F534C4F424D5953);
}

TEST_CASE("address fields load a flat file") {
  // The header lies at file offset 16 and at address 0x200010; load_end and bss_end cut and extend.
  ByteBuilder file;
  file.zeros(16);
  file.bytes(
      multiboot1_header(0x1'0003, {0x20'0010, 0x20'0000, 0x20'0040, 0x20'0100, 0x20'0030}).view());
  file.text("12345678901234567890123456789012");
  Case c{file};
  GuestRam ram(c.layout);
  ram.write(Gpa1{0x20'0040}, std::as_bytes(std::span("old")));
  CHECK(load_kernel(ram, c.request()).value().rip == 0x20'0030);
  CHECK(ram.get<std::uint32_t>(0x20'0010) == 0x1BAD'B002);
  CHECK(ram.get<char>(0x20'003F) == '6');
  CHECK(ram.get<std::uint32_t>(0x20'0040) == 0);

  SECTION("load address 0 at load_end: to the end of the file") {
    c.file.patch(16 + 20, std::uint32_t{0});
    GuestRam whole(c.layout);
    CHECK(load_kernel(whole, c.request()).ok());
    CHECK(whole.get<char>(0x20'0040) == '7');
  }
  SECTION("load address above the header's") {
    c.file.patch(16 + 16, std::uint32_t{0x20'0011});
    CHECK(c.fault() == LoadFault::kAddressFields);
  }
  SECTION("load address before the file's start") {
    c.file.patch(16 + 16, std::uint32_t{0x1F'FFFF});
    CHECK(c.fault() == LoadFault::kAddressFields);
  }
  SECTION("load_end before load") {
    c.file.patch(16 + 20, std::uint32_t{0x1F'FFFF});
    CHECK(c.fault() == LoadFault::kAddressFields);
  }
  SECTION("load_end beyond the file") {
    c.file.patch(16 + 20, std::uint32_t{0x20'1000});
    CHECK(c.fault() == LoadFault::kElfCutOff);
  }
  SECTION("bss_end before load_end") {
    c.file.patch(16 + 24, std::uint32_t{0x20'003F});
    CHECK(c.fault() == LoadFault::kAddressFields);
  }
  SECTION("entry outside") {
    c.file.patch(16 + 28, std::uint32_t{0x20'0100});
    CHECK(c.fault() == LoadFault::kEntryOutside);
  }
  SECTION("header cut off") {
    c.file.raw().resize(16 + 28);
    CHECK(c.fault() == LoadFault::kMultibootHeaderCutOff);
  }
}

TEST_CASE("required features that are not offered refuse the kernel") {
  Case c{elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content(7)}})};
  CHECK(c.fault() == LoadFault::kMultibootVideo);
  c.file = elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content(0x103)}});
  CHECK(c.fault() == LoadFault::kMultibootFeature);
  c.file = elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content(0x8000'0003)}});
  GuestRam ram(c.layout);
  CHECK(load_kernel(ram, c.request()).ok());
}

TEST_CASE("an ELF file that lies is refused by name") {
  const auto good = [] { return elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content()}}); };
  constexpr std::size_t kSegment = 52;
  Case c{good()};
  SECTION("other machine") {
    c.file = elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content()}}, false, 40);
    CHECK(c.fault() == LoadFault::kElfMachine);
  }
  SECTION("no ELF at all and no address fields") {
    c.file = content();
    CHECK(c.fault() == LoadFault::kNoLoadAddress);
  }
  SECTION("no program header") {
    c.file.patch(44, std::uint16_t{0});
    CHECK(c.fault() == LoadFault::kElfNoSegment);
  }
  SECTION("nothing to load") {
    c.file.patch(kSegment, std::uint32_t{6});
    CHECK(c.fault() == LoadFault::kElfNoSegment);
  }
  SECTION("program headers beyond the file") {
    c.file.patch(28, std::uint32_t{0xFFFF'FFF0});
    CHECK(c.fault() == LoadFault::kElfCutOff);
  }
  SECTION("segment beyond the file") {
    c.file.patch(kSegment + 4, std::uint32_t{0xFFFF'FFF0});
    CHECK(c.fault() == LoadFault::kElfCutOff);
  }
  SECTION("more bytes in the file than in memory") {
    c.file.patch(kSegment + 20, std::uint32_t{16});
    CHECK(c.fault() == LoadFault::kElfSegment);
  }
  SECTION("segment that wraps at 4 GiB") {
    c.file.patch(kSegment + 20, std::uint32_t{0xFFFF'FFFF});
    CHECK(c.fault() == LoadFault::kElfSegment);
  }
  SECTION("segment over the video window") {
    c.file.patch(kSegment + 12, std::uint32_t{0x9'F800});
    CHECK(c.fault() == LoadFault::kNotEnoughMemory);
  }
  SECTION("segment above the VM's memory") {
    c.file.patch(kSegment + 12, std::uint32_t{0x400'0000});
    CHECK(c.fault() == LoadFault::kNotEnoughMemory);
  }
  SECTION("entry in no segment") {
    c.file.patch(24, std::uint32_t{0x10'1000});
    CHECK(c.fault() == LoadFault::kEntryOutside);
  }
}

TEST_CASE("the boot information gives way to a kernel in low memory") {
  Case c{elf32(0x1'0000, {{0x1'0000, 0x1'0000, 0x1000, content()}})};
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  CHECK(state.gprs[Gpr::kRbx] >= kMiB);
  CHECK(ram.get<std::uint32_t>(0x1'0000) == 0x1BAD'B002);
}

TEST_CASE("modules that follow no more go below the kernel, or are refused") {
  std::vector<std::byte> data(8 * kMiB);
  Case c{elf32(0x300'0000, {{0x300'0000, 0x300'0000, 0x80'0000, content()}})};
  c.modules = {{data, ""}, {data, ""}};  // 8 MiB are left after the kernel
  GuestRam ram(c.layout);
  const BootState state = load_kernel(ram, c.request()).value();
  const std::uint64_t mods = ram.get<std::uint32_t>(state.gprs[Gpr::kRbx] + 24);
  CHECK(ram.get<std::uint32_t>(mods) == 0x380'0000);
  CHECK(ram.get<std::uint32_t>(mods + 16) == 0x10'0000);
  data.resize(48 * kMiB);
  c.modules = {{data, ""}};
  CHECK(c.fault() == LoadFault::kModulesDoNotFit);
}

TEST_CASE("boot information that does not fit is refused") {
  Case c{elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content()}})};
  c.command_line = std::string(kBootInfoSize, 'x');
  CHECK(c.fault() == LoadFault::kMultibootInfoDoesNotFit);
}

TEST_CASE("files that are no kernel are told apart") {
  ByteBuilder gzip;
  gzip.u16(0x8B1F).zeros(100);
  CHECK(Case{gzip}.fault() == LoadFault::kCompressedKernel);
  CHECK(Case{}.fault() == LoadFault::kUnknownKernel);
  ByteBuilder late;  // the header must lie in the first 8192 bytes
  late.zeros(8184).bytes(content().view());
  CHECK(Case{late}.fault() == LoadFault::kUnknownKernel);
  ByteBuilder checksum = content();
  checksum.patch(8, std::uint32_t{1});
  CHECK(Case{checksum}.fault() == LoadFault::kUnknownKernel);
}
