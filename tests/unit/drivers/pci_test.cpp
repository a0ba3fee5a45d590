#include "drivers/pci.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <utility>

using namespace archelon;
using namespace archelon::drivers;
using namespace archelon::drivers::pci;

namespace {

struct FakeConfig {
  std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint32_t> words;
  std::uint64_t reads = 0;
  bool mirror = false;  // answers at every address alike

  void add(Bdf bdf, std::uint32_t id, std::uint32_t class_code, std::uint32_t header) {
    words[{bdf.id(), 0x00}] = id;
    words[{bdf.id(), 0x08}] = class_code << 8 | 0x02;
    words[{bdf.id(), 0x0c}] = header << 16;
  }
  std::uint32_t read32(Bdf bdf, std::uint16_t offset) {
    ++reads;
    const auto it = words.find({mirror ? std::uint16_t{0} : bdf.id(), offset});
    if (it != words.end()) {
      return it->second;
    }
    return mirror || words.contains({bdf.id(), 0}) ? 0 : ~0U;
  }
  void write32(Bdf bdf, std::uint16_t offset, std::uint32_t v) { words[{bdf.id(), offset}] = v; }
};

}  // namespace

TEST_CASE("Every function of every bus is listed once") {
  FakeConfig c;
  c.add({0, 0, 0}, 0x12378086, 0x060000, 0);
  c.add({0, 1, 0}, 0x70008086, 0x060100, 0x80);  // multi-function
  c.add({0, 1, 3}, 0x71138086, 0x068000, 0);     // a gap before it
  c.add({0, 2, 0}, 0x00011b36, 0x060400, 0x01);
  c.words[{Bdf{0, 2, 0}.id(), 0x18}] = 0x00050500;
  c.add({0, 3, 1}, 0xdeadbeef, 0x020000, 0);        // no function 0: not there
  c.add({0, 4, 0}, 0x00021b36, 0x070002, 0);        // a 16550
  c.add({0, 4, 1}, 0x00021b36, 0x070002, 0);        // not multi-function: an echo
  c.add({5, 31, 0}, 0x00031b36, 0x070002, 0);       // behind the bridge
  c.add({0xd7, 0, 0}, 0x20208086, 0x088000, 0x80);  // on a root bus of its own
  c.add({0xd7, 0, 7}, 0x20248086, 0x088000, 0);
  const auto list = std::make_unique<FunctionList>();
  REQUIRE(enumerate(c, *list));
  std::vector<std::uint16_t> ids;
  for (const Function& f : *list) {
    ids.push_back(f.bdf.id());
  }
  CHECK(ids ==
        std::vector<std::uint16_t>{0x0000, 0x0008, 0x000b, 0x0010, 0x0020, 0x05f8, 0xd700, 0xd707});
  CHECK((*list)[1].vendor == 0x8086);
  CHECK((*list)[1].device == 0x7000);
  CHECK((*list)[1].class_code == 0x060100);
  CHECK((*list)[3].is_bridge());
  CHECK((*list)[3].secondary_bus == 5);
  const Function* second = find_class(*list, kClassSerial, 1);
  REQUIRE(second != nullptr);
  CHECK(second->bdf == Bdf{5, 31, 0});
  CHECK(find_class(*list, kClassSerial, 2) == nullptr);
}

TEST_CASE("A configuration space that answers everywhere ends with the list") {
  FakeConfig c;
  c.add({0, 0, 0}, 0x12378086, 0x060400, 0x81);
  c.mirror = true;
  const auto list = std::make_unique<FunctionList>();
  CHECK_FALSE(enumerate(c, *list));
  CHECK(list->full());
  CHECK(c.reads < 2000);
}

TEST_CASE("Base address registers") {
  FakeConfig c;
  const Bdf at{0, 4, 0};
  c.add(at, 0x00021b36, 0x070002, 0);
  c.words[{at.id(), 0x10}] = 0xc041;
  c.words[{at.id(), 0x14}] = 0xfebc0000;
  c.words[{at.id(), 0x18}] = 0x0000000c;
  c.words[{at.id(), 0x1c}] = 0x00000003;
  c.words[{at.id(), 0x20}] = 0x00001002;  // reserved type
  c.words[{at.id(), 0x24}] = 0xfeb00004;  // 64 bits, with no register left
  const auto f = *read_function(c, at);
  CHECK(read_bar(c, f, 0)->is_io);
  CHECK(read_bar(c, f, 0)->address == 0xc040);
  CHECK_FALSE(read_bar(c, f, 1)->is_io);
  CHECK(read_bar(c, f, 1)->address == 0xfebc0000);
  CHECK(read_bar(c, f, 2)->address == 0x3'0000'0000);
  CHECK_FALSE(read_bar(c, f, 4));
  CHECK_FALSE(read_bar(c, f, 5));
  CHECK_FALSE(read_bar(c, f, 6));
  c.words[{at.id(), 0x10}] = 0;
  CHECK_FALSE(read_bar(c, f, 0));

  c.words[{at.id(), 0x04}] = 0xf9000004;
  enable_decoding(c, at);
  CHECK(c.words[{at.id(), 0x04}] == 0x0007);
}

TEST_CASE("Configuration by ports and by memory") {
  struct Ports {
    std::vector<std::pair<std::uint16_t, std::uint32_t>>* out;
    std::uint8_t in8(std::uint16_t) const { return 0; }
    std::uint16_t in16(std::uint16_t) const { return 0; }
    std::uint32_t in32(std::uint16_t port) const { return port == 0xcfc ? 0xabcd : 0; }
    void out8(std::uint16_t, std::uint8_t) const {}
    void out16(std::uint16_t, std::uint16_t) const {}
    void out32(std::uint16_t p, std::uint32_t v) const { out->emplace_back(p, v); }
  };
  std::vector<std::pair<std::uint16_t, std::uint32_t>> out;
  PortConfig<Ports> ports(Ports{&out});
  CHECK(ports.read32({2, 31, 7}, 0x10) == 0xabcd);
  CHECK(out[0] == std::pair<std::uint16_t, std::uint32_t>(0xcf8, 0x8002ff10));
  ports.write32({0, 0, 0}, 0x04, 7);
  CHECK(out[2] == std::pair<std::uint16_t, std::uint32_t>(0xcfc, 7));
  CHECK(ports.read32({0, 0, 0}, 0x100) == ~0U);

  struct Region {
    std::uint64_t* last;
    std::uint32_t read32(std::uint64_t offset) const {
      *last = offset;
      return 5;
    }
    void write32(std::uint64_t offset, std::uint32_t) const { *last = offset; }
  };
  std::uint64_t last = 0;
  EcamConfig<Region> ecam(Region{&last}, 1, 3);
  CHECK(ecam.read32({2, 1, 1}, 0x104) == 5);
  CHECK(last == 0x209104);
  CHECK(ecam.read32({0, 0, 0}, 0) == ~0U);
  CHECK(ecam.read32({4, 0, 0}, 0) == ~0U);
  CHECK(ecam.read32({2, 0, 0}, 4096) == ~0U);
}
