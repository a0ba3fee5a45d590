#include "hv/guest/linux_loader.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "hv/guest/kernel_kind.hpp"
#include "tests/support/guest_ram.hpp"
#include "tests/support/linux_image.hpp"

using namespace archelon;
using namespace archelon::guest;
using archelon::test::GuestRam;
using archelon::test::LinuxImage;

namespace {

struct Case {
  LinuxImage image;
  MemoryLayout layout = MemoryLayout::of(512 * kMiB).value();
  std::string command_line = "console=ttyS0 quiet";
  std::vector<BootModule> modules;

  [[nodiscard]] BootRequest request() const {
    return {image.bytes(), command_line, modules, layout, Gpa1{0xE0000}, {}};
  }
  [[nodiscard]] LoadFault fault() const {
    GuestRam ram(layout);
    return load_linux(ram, request()).error().fault;
  }
};

}  // namespace

TEST_CASE("a bzImage starts in 64-bit mode at its preferred address") {
  Case c;
  CHECK(kernel_kind(c.image.bytes()) == KernelKind::kLinux);
  GuestRam ram(c.layout);
  const BootState state = load_linux(ram, c.request()).value();
  CHECK(state.rip == 0x100'0200);
  CHECK(state.gprs[Gpr::kRsi] == 0x2000);
  CHECK(state.efer == 0x500);
  CHECK(state.cr4 == 0x20);
  CHECK((state.cr0 & 0x8000'0001) == 0x8000'0001);
  CHECK((state.rflags & 0x200) == 0);
  for (std::uint64_t i = 0; i < 0x1000; i += 0x111) {
    REQUIRE(ram.get<std::uint8_t>(0x100'0000 + i) == static_cast<std::uint8_t>(i * 7 + 1));
  }
  CHECK(ram.get<std::uint64_t>(state.gdtr.base + 0x10) == kBootGdtLong[2]);
}

TEST_CASE("boot_params tells command line, memory map and RSDP") {
  Case c;
  c.layout = MemoryLayout::of(4 * kGiB).value();
  GuestRam ram(c.layout);
  REQUIRE(load_linux(ram, c.request()).ok());
  const std::uint64_t params = 0x2000;
  CHECK(ram.get<std::uint32_t>(params + 0x202) == 0x5372'6448);
  CHECK(ram.get<std::uint16_t>(params + 0x206) == 0x20F);
  CHECK(ram.get<std::uint8_t>(params + 0x210) == 0xFF);
  CHECK(ram.get<std::uint8_t>(params + 0x1EF) == 0);  // sentinel
  CHECK(ram.text(ram.get<std::uint32_t>(params + 0x228)) == "console=ttyS0 quiet");
  CHECK(ram.get<std::uint64_t>(params + 0x70) == 0xE0000);
  CHECK(ram.get<std::uint32_t>(params + 0x218) == 0);
  CHECK(ram.get<std::uint32_t>(params + 0x21C) == 0);
  REQUIRE(ram.get<std::uint8_t>(params + 0x1E8) == c.layout.map().size());
  for (std::size_t i = 0; i < c.layout.map().size(); ++i) {
    const std::uint64_t entry = params + 0x2D0 + i * 20;
    CHECK(ram.get<std::uint64_t>(entry) == c.layout.map()[i].base.value());
    CHECK(ram.get<std::uint64_t>(entry + 8) == c.layout.map()[i].size);
    CHECK(ram.get<std::uint32_t>(entry + 16) == static_cast<std::uint32_t>(c.layout.map()[i].type));
  }
}

TEST_CASE("the page tables map the first 4 GiB onto themselves") {
  Case c;
  GuestRam ram(c.layout);
  const BootState state = load_linux(ram, c.request()).value();
  for (const std::uint64_t address :
       {std::uint64_t{0x2000}, std::uint64_t{0x100'0200}, std::uint64_t{0xFEE0'0000}}) {
    const auto entry = [&](std::uint64_t table, unsigned shift) {
      return ram.get<std::uint64_t>((table & ~0xFFFULL) + ((address >> shift) & 0x1FF) * 8);
    };
    const std::uint64_t pdpt = entry(state.cr3, 39);
    const std::uint64_t directory = entry(pdpt, 30);
    const std::uint64_t page = entry(directory, 21);
    CHECK((pdpt & 0x83) == 3);
    CHECK((directory & 0x83) == 3);
    CHECK(page == ((address & ~0x1F'FFFFULL) | 0x83));
  }
}

TEST_CASE("initrds are joined at 4 bytes, page aligned, below the kernel's limit") {
  const std::array<std::byte, 5> first{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4},
                                       std::byte{5}};
  const std::array<std::byte, 3> second{std::byte{6}, std::byte{7}, std::byte{8}};
  Case c;
  c.modules = {{first, ""}, {second, ""}};
  GuestRam ram(c.layout);
  REQUIRE(load_linux(ram, c.request()).ok());
  CHECK(ram.get<std::uint32_t>(0x2218) == 0x1FFF'F000);
  CHECK(ram.get<std::uint32_t>(0x221C) == 12);
  CHECK(ram.get<std::uint64_t>(0x1FFF'F000) == 0x00000005'04030201);
  CHECK(ram.get<std::uint32_t>(0x1FFF'F008) == 0x00080706);

  c.image.set<std::uint32_t>(0x22C, 0x7FF'FFFF);
  GuestRam limited(c.layout);
  REQUIRE(load_linux(limited, c.request()).ok());
  CHECK(limited.get<std::uint32_t>(0x2218) == 0x7FF'F000);
}

TEST_CASE("an initrd may reach down to the end of the kernel's memory and no lower") {
  Case c;
  c.layout = MemoryLayout::of(66 * kMiB).value();  // the kernel needs 16 to 64 MiB
  std::vector<std::byte> initrd(2 * kMiB);
  c.modules = {{initrd, ""}};
  GuestRam ram(c.layout);
  REQUIRE(load_linux(ram, c.request()).ok());
  CHECK(ram.get<std::uint32_t>(0x2218) == 0x400'0000);
  initrd.resize(2 * kMiB + 1);
  c.modules = {{initrd, ""}};
  CHECK(c.fault() == LoadFault::kModulesDoNotFit);
}

TEST_CASE("a kernel without a 64-bit entry starts by the 32-bit protocol") {
  Case c;
  c.image.set<std::uint16_t>(0x206, 0x20C).set<std::uint16_t>(0x236, 0x4);
  GuestRam ram(c.layout);
  const BootState state = load_linux(ram, c.request()).value();
  CHECK(state.rip == 0x100'0000);
  CHECK(state.cr0 == 0x11);
  CHECK(state.efer == 0);
  CHECK(state.cs.selector == 0x10);
  CHECK(state.ds.selector == 0x18);
  CHECK(state.cs.access_rights == 0xC09B);
  CHECK(state.gprs[Gpr::kRsi] == 0x2000);
  CHECK(state.gprs[Gpr::kRbp] == 0);
  CHECK(ram.get<std::uint64_t>(state.gdtr.base + 0x10) == kBootGdtProtected[2]);
  CHECK_FALSE(ram.touched(kLinuxPageTables));
}

TEST_CASE("a kernel before protocol 2.10 loads at 1 MiB") {
  Case c;
  c.image.set<std::uint16_t>(0x206, 0x208).set<std::uint64_t>(0x258, 0xDEAD'0000'0000);
  GuestRam ram(c.layout);
  CHECK(load_linux(ram, c.request()).value().rip == 0x10'0000);
}

TEST_CASE("a bzImage that is cut off is refused at every length") {
  const LinuxImage whole;
  for (std::size_t size = 0; size < whole.bytes().size() - 15; size += 13) {
    Case c;
    c.image.cut(size);
    const LoadFault fault = c.fault();
    REQUIRE((fault == LoadFault::kUnknownKernel || fault == LoadFault::kLinuxCutOff));
  }
  // The last 16-byte unit of syssize may be short, as in memtest86+.
  Case c;
  c.image.cut(whole.bytes().size() - 8);
  GuestRam ram(c.layout);
  CHECK(load_linux(ram, c.request()).ok());
}

TEST_CASE("a bzImage whose header lies is refused by name") {
  Case c;
  SECTION("too old") {
    c.image.set<std::uint16_t>(0x206, 0x203);
    CHECK(c.fault() == LoadFault::kLinuxTooOld);
  }
  SECTION("zImage") {
    c.image.set<std::uint8_t>(0x211, 0);
    CHECK(c.fault() == LoadFault::kLinuxZImage);
  }
  SECTION("header longer than boot_params") {
    c.image.set<std::uint8_t>(0x201, 0x8F);
    CHECK(c.fault() == LoadFault::kLinuxHeaderLength);
  }
  SECTION("load address in low memory") {
    c.image.set<std::uint64_t>(0x258, 0x2000);
    CHECK(c.fault() == LoadFault::kLinuxLoadAddress);
  }
  SECTION("load address misaligned") {
    c.image.set<std::uint64_t>(0x258, 0x100'1000);
    CHECK(c.fault() == LoadFault::kLinuxLoadAddress);
  }
  SECTION("alignment 0") {
    c.image.set<std::uint32_t>(0x230, 0);
    CHECK(c.fault() == LoadFault::kLinuxLoadAddress);
  }
  SECTION("load address that wraps") {
    c.image.set<std::uint64_t>(0x258, ~std::uint64_t{0x1F'FFFF});
    CHECK(c.fault() == LoadFault::kNotEnoughMemory);
  }
  SECTION("load address above 4 GiB") {
    c.layout = MemoryLayout::of(5 * kGiB).value();
    c.image.set<std::uint64_t>(0x258, 0x1'0000'0000);
    CHECK(c.fault() == LoadFault::kNotEnoughMemory);
  }
  SECTION("needs more memory than the VM has") {
    c.image.set<std::uint32_t>(0x260, 0x1F00'0001);
    CHECK(c.fault() == LoadFault::kNotEnoughMemory);
  }
  SECTION("no room for the 64-bit entry") {
    c.image.set<std::uint32_t>(0x1F4, 0x20);
    CHECK(c.fault() == LoadFault::kLinuxNoEntry);
  }
  SECTION("initrd limit of 0") {
    const std::array<std::byte, 1> initrd{};
    c.modules = {{initrd, ""}};
    c.image.set<std::uint32_t>(0x22C, 0);
    CHECK(c.fault() == LoadFault::kModulesDoNotFit);
  }
  SECTION("command line longer than the kernel takes") {
    c.command_line = std::string(2048, 'x');
    CHECK(c.fault() == LoadFault::kCommandLineTooLong);
    c.command_line.pop_back();
    GuestRam ram(c.layout);
    CHECK(load_linux(ram, c.request()).ok());
  }
  SECTION("command line limit beyond the area") {
    c.image.set<std::uint32_t>(0x238, 0xFFFF'FFFF);
    c.command_line = std::string(0x1'0000, 'x');
    CHECK(c.fault() == LoadFault::kCommandLineTooLong);
  }
}

TEST_CASE("a load error is told in one line with its numbers") {
  std::array<char, 160> line;
  CHECK(describe(line, {LoadFault::kLinuxCutOff, 4096, 100}) ==
        "the bzImage is cut off: its header promises 4096 bytes, the file has 100; copy it again");
  for (int fault = 0; fault <= static_cast<int>(LoadFault::kMultibootInfoDoesNotFit); ++fault) {
    const auto text = describe(line, {static_cast<LoadFault>(fault), 1, 2});
    CHECK(text != "it cannot be started");
    CHECK(text.find("{") == std::string_view::npos);
  }
}
