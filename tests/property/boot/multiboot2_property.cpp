#include <catch2/catch.hpp>
#include <memory>
#include <random>

#include "boot/multiboot2.hpp"
#include "tests/support/byte_builder.hpp"

using namespace archelon;
using namespace archelon::boot;
using archelon::test::ByteBuilder;

TEST_CASE("Damaged boot information never yields views outside of it or overlapping modules") {
  ByteBuilder good;
  good.u32(0).u32(0);
  good.u32(1).u32(13).text("a=b").zeros(5);
  good.align(8).u32(3).u32(18).u32(0x1000).u32(0x2000).text("m").u8(0);
  good.align(8).u32(3).u32(18).u32(0x3000).u32(0x4000).text("n").u8(0);
  good.align(8).u32(6).u32(16 + 48).u32(24).u32(0).zeros(48);
  good.align(8).u32(8).u32(38).u64(0xe0000000).u32(4096).u32(1024).u32(768);
  good.u8(32).u8(1).u16(0).u8(16).u8(8).u8(8).u8(8).u8(0).u8(8);
  good.align(8).u32(17).u32(16 + 48).u32(48).u32(1).zeros(48);
  good.align(8).u32(15).u32(44).zeros(36);
  good.align(8).u32(0).u32(8);
  good.patch(0, static_cast<std::uint32_t>(good.size()));

  std::mt19937 random(1);
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::byte> bytes(good.view().begin(), good.view().end());
    for (unsigned n = 1 + random() % 4; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<std::byte>(random() % 3 == 0 ? 0xff : random());
    }
    const auto info = std::make_unique<BootInfo>();
    const auto status = parse_multiboot2(kMultiboot2Magic, bytes, *info);
    static_cast<void>(status.ok());
    const auto* begin = reinterpret_cast<const char*>(bytes.data());
    const auto inside = [&](std::string_view s) {
      return s.empty() || (s.data() >= begin && s.data() + s.size() <= begin + bytes.size());
    };
    REQUIRE(inside(info->command_line));
    for (std::size_t i = 0; i < info->modules.size(); ++i) {
      REQUIRE(inside(info->modules[i].string));
      REQUIRE(info->modules[i].start <= info->modules[i].end);
      for (std::size_t k = 0; k < i; ++k) {
        REQUIRE((info->modules[i].end <= info->modules[k].start ||
                 info->modules[k].end <= info->modules[i].start));
      }
    }
    if (info->framebuffer) {
      REQUIRE(info->framebuffer->pitch >= info->framebuffer->width);
    }
  }
}
