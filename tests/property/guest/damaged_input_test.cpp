#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <string_view>
#include <vector>

#include "tests/support/guest_fuzz.hpp"
#include "tests/support/linux_image.hpp"
#include "tests/support/multiboot_image.hpp"

// Good input with random damage, with a fixed seed; the fuzzers in tests/fuzz go further.
using namespace archelon;
using namespace archelon::test;

namespace {

using Bytes = std::vector<std::byte>;

// Changes, copies, removes or cuts a few bytes within the first `head` ones.
void damage(Bytes& bytes, std::size_t head, std::mt19937_64& random) {
  constexpr std::uint8_t kTelling[] = {0, 1, 0x7F, 0x80, 0xFF, '\n', '=', '[', ']', '#', '9'};
  for (unsigned n = 1 + random() % 4; n != 0 && !bytes.empty(); --n) {
    const std::size_t at = random() % std::min(head, bytes.size());
    switch (random() % 6) {
      case 0:
        bytes[at] ^= std::byte{1} << (random() % 8);
        break;
      case 1:
        bytes[at] = std::byte{kTelling[random() % std::size(kTelling)]};
        break;
      case 2:
        for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i) {
          bytes[i] = static_cast<std::byte>(random());
        }
        break;
      case 3:
        bytes[at] = bytes[random() % bytes.size()];
        break;
      case 4:
        bytes.erase(bytes.begin() + static_cast<long>(at));
        break;
      default:
        if (random() % 8 == 0) {
          bytes.resize(at);
        }
        break;
    }
  }
}

void damage_often(std::span<const std::byte> good, std::size_t head,
                  const std::function<bool(std::span<const std::byte>)>& entry) {
  std::mt19937_64 random{42};
  REQUIRE(entry(good));
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(good.begin(), good.end());
    damage(bytes, head, random);
    entry(bytes);
  }
}

}  // namespace

TEST_CASE("a damaged archelon.conf makes errors, not harm") {
  constexpr std::string_view kText =
      "on-end = poweroff\nconsole = com1,vga\n[vm a]\nmemory = 64M\ncpus = 2\nkernel = k\n"
      "initrd = i args\ncmdline = a=b # c\ndebugcon = 0xe9\ndebug-exit = 0xf4\non-reset = end\n"
      "cpu-pin = 0,1\n[vm b]\nmemory = 2G\nkernel = k\n";
  damage_often(std::as_bytes(std::span(kText)), kText.size(), fuzz_config);
}

TEST_CASE("a damaged bzImage is loaded within RAM or refused") {
  damage_often(LinuxImage(0x400).bytes(), 0x270, fuzz_kernel);
}

TEST_CASE("a damaged multiboot 1 kernel is loaded within RAM or refused") {
  ByteBuilder content = multiboot1_header(3);
  content.zeros(32);
  damage_often(elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, content}}, true).view(), 300,
               fuzz_kernel);
  const auto flat = multiboot1_header(0x1'0003, {0x10'0000, 0x10'0000, 0, 0x10'2000, 0x10'0004});
  damage_often(flat.view(), flat.size(), fuzz_kernel);
}

TEST_CASE("a damaged multiboot 2 kernel is loaded within RAM or refused") {
  ByteBuilder tags;
  tags.u16(1).u16(0).u32(16).u32(4).u32(6);
  tags.u16(2).u16(0).u32(24).u32(0x10'0000).u32(0x10'0000).u32(0).u32(0x10'2000);
  tags.u16(3).u16(0).u32(12).u32(0x10'0004).align(8);
  tags.u16(10).u16(1).u32(24).u32(0).u32(0xFFFF'FFFF).u32(0x1000).u32(2);
  const ByteBuilder flat = multiboot2_header(tags);
  damage_often(flat.view(), flat.size(), fuzz_kernel);
  ByteBuilder relocatable;
  relocatable.u16(10).u16(1).u32(24).u32(0).u32(0xFFFF'FFFF).u32(0x1000).u32(1);
  const ByteBuilder file =
      elf32(0x10'0000, {{0x10'0000, 0x10'0000, 0x1000, multiboot2_header(relocatable)}}, true);
  damage_often(file.view(), file.size(), fuzz_kernel);
}
