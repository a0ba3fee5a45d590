#include "boot/multiboot2.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/byte_builder.hpp"

using namespace archelon;
using namespace archelon::boot;
using archelon::test::ByteBuilder;

namespace {

// Boot information as GRUB 2.06 lays it out; finish() adds the end tag and the total size.
class Information {
 public:
  Information() { out_.u32(0).u32(0); }
  Information& tag(std::uint32_t type, const ByteBuilder& content) {
    out_.align(8).u32(type).u32(8 + content.size()).bytes(content.view());
    return *this;
  }
  Information& string(std::uint32_t type, std::string_view s) {
    return tag(type, ByteBuilder().text(s).u8(0));
  }
  Information& module(std::uint32_t start, std::uint32_t end, std::string_view s) {
    return tag(3, ByteBuilder().u32(start).u32(end).text(s).u8(0));
  }
  ByteBuilder& open() {
    out_.align(8).patch(0, static_cast<std::uint32_t>(out_.size()));
    return out_;
  }
  ByteBuilder& finish() {
    out_.align(8).u32(0).u32(8);
    return open();
  }

 private:
  ByteBuilder out_;
};

struct Parsed {
  std::unique_ptr<BootInfo> info = std::make_unique<BootInfo>();
  std::string_view error;
};

Parsed parse(const ByteBuilder& bytes, std::uint32_t magic = kMultiboot2Magic) {
  Parsed parsed;
  const auto status = parse_multiboot2(magic, bytes.view(), *parsed.info);
  if (!status.ok()) {
    parsed.error = status.error().text;
  }
  return parsed;
}

ByteBuilder rgb_framebuffer(std::uint64_t base, std::uint32_t pitch, std::uint32_t width,
                            std::uint32_t height) {
  ByteBuilder b;
  b.u64(base).u32(pitch).u32(width).u32(height).u8(32).u8(1).u16(0);
  b.u8(16).u8(8).u8(8).u8(8).u8(0).u8(8);
  return b;
}

}  // namespace

TEST_CASE("A complete boot information is read") {
  Information in;
  in.string(1, "console=debugcon loglevel=debug").string(2, "GRUB 2.06-13+deb12u1");
  in.tag(10, ByteBuilder().zeros(20));  // APM: skipped
  in.module(0x300000, 0x3000a1, "archelon.conf").module(0x301000, 0xb01234, "/boot/vmlinuz");
  in.tag(6, ByteBuilder()
                .u32(24)
                .u32(0)
                .u64(0)
                .u64(0x9fc00)
                .u32(1)
                .u32(0)
                .u64(0x9fc00)
                .u64(0x400)
                .u32(2)
                .u32(0));
  in.tag(4, ByteBuilder().u32(639).u32(64448));
  in.tag(8, rgb_framebuffer(0xe0000000, 4096, 1024, 768));
  in.tag(14, ByteBuilder().text("RSD PTR ").zeros(12));
  in.tag(15, ByteBuilder().text("RSD PTR ").zeros(28));
  in.tag(12, ByteBuilder().u64(0x7f5ec018));
  in.tag(17, ByteBuilder().u32(48).u32(1).zeros(96));
  in.tag(9, ByteBuilder().u32(3).u32(64).u32(2).zeros(192));
  in.tag(21, ByteBuilder().u32(0x200000));
  const auto& bytes = in.finish();
  const Parsed p = parse(bytes);
  REQUIRE(p.error.empty());
  const BootInfo& info = *p.info;
  CHECK(info.problems.empty());
  CHECK(info.command_line == "console=debugcon loglevel=debug");
  CHECK(info.loader_name == "GRUB 2.06-13+deb12u1");
  REQUIRE(info.modules.size() == 2);
  CHECK(info.modules[0].string == "archelon.conf");
  CHECK(info.modules[0].size() == 0xa1);
  CHECK(info.modules[1].start == Hpa(0x301000));
  CHECK(info.modules[1].end == Hpa(0xb01234));
  REQUIRE(info.memory_map.size() == 2);
  CHECK(info.memory_map[1].base == Hpa(0x9fc00));
  CHECK(info.memory_map[1].length == 0x400);
  CHECK(info.memory_map[1].type == 2);
  CHECK(info.basic_memory->upper == 64448ULL * 1024);
  REQUIRE(info.framebuffer);
  CHECK(info.framebuffer->kind == FramebufferKind::kRgb);
  CHECK(info.framebuffer->red.position == 16);
  CHECK(info.framebuffer->size() == 4096 * 768);
  CHECK(info.rsdp_old.size() == 20);
  CHECK(info.rsdp_new.size() == 36);
  CHECK(info.efi_system_table == Hpa(0x7f5ec018));
  CHECK(info.efi_memory_map->descriptor_size == 48);
  CHECK(info.efi_memory_map->bytes.size() == 96);
  CHECK(info.image_load_base == Hpa(0x200000));
  CHECK_FALSE(info.efi_boot_services_active);
}

TEST_CASE("EGA text framebuffer") {
  Information in;
  in.tag(8, ByteBuilder().u64(0xb8000).u32(160).u32(80).u32(25).u8(16).u8(2).u16(0));
  const Parsed p = parse(in.finish());
  REQUIRE(p.info->framebuffer);
  CHECK(p.info->framebuffer->kind == FramebufferKind::kEgaText);
  CHECK(p.info->framebuffer->width == 80);
}

TEST_CASE("What no loader left is refused in one line") {
  Information in;
  auto& good = in.string(1, "x").finish();
  CHECK(parse(good, 0x2badb002).error == "not started by a multiboot2 boot loader");
  CHECK(parse(ByteBuilder()).error == "boot information of an impossible size");
  CHECK(parse(ByteBuilder().u32(8).u32(0)).error == "boot information of an impossible size");
  CHECK(parse(ByteBuilder().u32(0xffffffff).zeros(64)).error ==
        "boot information of an impossible size");
  good.patch<std::uint32_t>(0, static_cast<std::uint32_t>(good.size() + 8));
  CHECK(parse(good).error == "boot information is truncated");
}

TEST_CASE("Broken tag chains end in an error") {
  SECTION("no end tag") {
    Information in;
    CHECK(parse(in.string(1, "x").open()).error == "boot information has no end tag");
  }
  SECTION("size 0 would never get on") {
    Information in;
    in.open().u32(1).u32(0);
    CHECK(parse(in.finish()).error == "boot information tag is smaller than its header");
  }
  SECTION("size past the end, and one that would wrap") {
    for (const std::uint32_t size : {0x100U, 0xfffffff8U, 0xffffffffU}) {
      Information in;
      in.open().u32(1).u32(size);
      CHECK(parse(in.finish()).error == "boot information tag reaches past the end");
    }
  }
  SECTION("every truncation of a good one") {
    Information in;
    in.string(1, "a=b").module(0x1000, 0x2000, "m").tag(8, rgb_framebuffer(0, 4096, 1024, 768));
    auto& bytes = in.finish();
    for (std::uint32_t size = 0; size < bytes.size(); ++size) {
      bytes.patch(0, size);
      CHECK_FALSE(parse(bytes).error.empty());
    }
  }
}

TEST_CASE("Flawed contents are skipped and reported") {
  Information in;
  in.module(0x2000, 0x1000, "backwards")
      .module(0x1000, 0x3000, "good")
      .module(0x2fff, 0x4000, "overlaps")
      .tag(3, ByteBuilder().u32(1))
      .tag(3, ByteBuilder().u32(0x8000).u32(0x9000).text("no nul"))
      .tag(6, ByteBuilder().u32(0).u32(0).zeros(48))
      .tag(6, ByteBuilder().u32(24).u32(0).zeros(30))
      .tag(8, rgb_framebuffer(0, 4095, 1024, 768))
      .tag(8, rgb_framebuffer(~0ULL - 100, 4096, 1024, 768))
      .tag(8, ByteBuilder().u64(0).u32(1024).u32(1024).u32(768).u8(8).u8(0).u16(0))
      .tag(17, ByteBuilder().u32(0).u32(1).zeros(96))
      .tag(12, ByteBuilder().u32(0))
      .tag(18, ByteBuilder());
  const Parsed p = parse(in.finish());
  REQUIRE(p.error.empty());
  const BootInfo& info = *p.info;
  REQUIRE(info.modules.size() == 2);
  CHECK(info.modules[0].string == "good");
  CHECK(info.modules[1].string == "no nul");
  CHECK(info.memory_map.size() == 1);
  CHECK_FALSE(info.framebuffer);
  CHECK_FALSE(info.efi_memory_map);
  CHECK_FALSE(info.efi_system_table);
  CHECK(info.efi_boot_services_active);
  REQUIRE(info.problems.size() == 11);
  CHECK(info.problems[0].text == "module ends before it starts");
  CHECK(info.problems[0].offset == 8);
  CHECK(info.problems[1].text == "module overlaps an earlier one");
}

TEST_CASE("More modules, entries and problems than there is room for") {
  Information in;
  for (std::uint32_t i = 0; i < kMaxModules + 20; ++i) {
    in.module(i * 0x1000, i * 0x1000 + 0x1000, "m");
  }
  ByteBuilder map;
  map.u32(24).u32(0).zeros(24 * (kMaxMemoryMapEntries + 1));
  in.tag(6, map);
  const Parsed p = parse(in.finish());
  REQUIRE(p.error.empty());
  CHECK(p.info->modules.size() == kMaxModules);
  CHECK(p.info->memory_map.size() == kMaxMemoryMapEntries);
  CHECK(p.info->problems.size() == 16);
  CHECK(p.info->problems_dropped == 5);
}
