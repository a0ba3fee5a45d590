#include "hv/vm_memory.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <vector>

#include "hv/base/memory.hpp"

using namespace archelon;
using hv::VmMemory;

namespace {

// A VM with RAM at 0x1000..0x3000 and, right after it but elsewhere in the machine, 0x3000..0x4000;
// and behind a hole 0x10000..0x11000. The machine's memory is a buffer.
class Machine {
 public:
  Machine() : machine_(0x8000 / 8), memory_(Hva(reinterpret_cast<std::uint64_t>(machine_.data()))) {
    REQUIRE(memory_.add({.start = Gpa1(0x1000), .size = 0x2000, .backing = Hpa(0x4000)}));
    REQUIRE(memory_.add({.start = Gpa1(0x3000), .size = 0x1000, .backing = Hpa(0x2000)}));
    REQUIRE(memory_.add({.start = Gpa1(0x10000), .size = 0x1000, .backing = Hpa(0x7000)}));
  }

  std::byte& at(std::uint64_t hpa) { return reinterpret_cast<std::byte*>(machine_.data())[hpa]; }
  VmMemory& operator*() { return memory_; }

 private:
  std::vector<std::uint64_t> machine_;
  VmMemory memory_;
};

}  // namespace

static_assert(PhysicalMemory<VmMemory, Gpa1>);

TEST_CASE("a guest address translates into the machine's where there is RAM") {
  Machine m;
  CHECK((*m).translate(Gpa1(0x1000)) == Hpa(0x4000));
  CHECK((*m).translate(Gpa1(0x2fff)) == Hpa(0x5fff));
  CHECK((*m).translate(Gpa1(0x3000)) == Hpa(0x2000));
  CHECK((*m).translate(Gpa1(0x10fff)) == Hpa(0x7fff));
  for (const std::uint64_t hole :
       {std::uint64_t{0}, std::uint64_t{0xfff}, std::uint64_t{0x4000}, std::uint64_t{0xffff},
        std::uint64_t{0x11000}, ~std::uint64_t{0}}) {
    CHECK_FALSE((*m).translate(Gpa1(hole)).has_value());
  }
}

TEST_CASE("a pointer is given for what lies in one range") {
  Machine m;
  CHECK((*m).pointer(Gpa1(0x1ff8), 8) == &m.at(0x4ff8));
  CHECK((*m).pointer(Gpa1(0x2ff8), 8) == &m.at(0x5ff8));
  CHECK((*m).pointer(Gpa1(0x2ff9), 8) == nullptr);  // the machine's bytes do not go on there
  CHECK((*m).pointer(Gpa1(0x10000), 0x1000) == &m.at(0x7000));
  CHECK((*m).pointer(Gpa1(0x10000), 0x1001) == nullptr);
  CHECK((*m).pointer(Gpa1(0x10ff8), ~std::uint64_t{0}) == nullptr);
  CHECK((*m).pointer(Gpa1(0x4000), 1) == nullptr);
}

TEST_CASE("copies go across the seam of two ranges and not into a hole") {
  Machine m;
  std::array<std::byte, 16> out{};
  for (unsigned i = 0; i < 8; ++i) {
    m.at(0x5ff8 + i) = std::byte(0x10 + i);
    m.at(0x2000 + i) = std::byte(0x20 + i);
  }
  REQUIRE((*m).read(Gpa1(0x2ff8), out));
  for (unsigned i = 0; i < 8; ++i) {
    CHECK(out[i] == std::byte(0x10 + i));
    CHECK(out[8 + i] == std::byte(0x20 + i));
  }
  out.fill(std::byte{0xee});
  REQUIRE((*m).write(Gpa1(0x2ffc), out));
  CHECK(m.at(0x5ffb) == std::byte{0x13});
  CHECK(m.at(0x5ffc) == std::byte{0xee});
  CHECK(m.at(0x200b) == std::byte{0xee});
  CHECK(m.at(0x200c) == std::byte{0});
  CHECK(m.at(0x6000) == std::byte{0});  // next to the first range in the machine: not the guest's
  CHECK(m.at(0x1fff) == std::byte{0});

  CHECK_FALSE((*m).read(Gpa1(0x3ff8), out));
  CHECK_FALSE((*m).write(Gpa1(0x10ff8), out));
  CHECK_FALSE((*m).read(Gpa1(~std::uint64_t{0} - 3), out));
  CHECK((*m).read(Gpa1(0), {}));
}

TEST_CASE("compare-and-exchange swaps an aligned word that is as expected") {
  Machine m;
  REQUIRE(write_value(*m, Gpa1(0x3008), std::uint64_t{5}));
  CHECK_FALSE((*m).compare_exchange(Gpa1(0x3008), 4, 6));
  CHECK(read_value<std::uint64_t>(*m, Gpa1(0x3008)) == 5u);
  CHECK((*m).compare_exchange(Gpa1(0x3008), 5, 6));
  CHECK(read_value<std::uint64_t>(*m, Gpa1(0x3008)) == 6u);
  CHECK_FALSE((*m).compare_exchange(Gpa1(0x300c), 0, 1));
  CHECK_FALSE((*m).compare_exchange(Gpa1(0x4000), 0, 1));
}

TEST_CASE("there is room for a fixed number of ranges") {
  VmMemory memory;
  for (std::size_t i = 0; i < VmMemory::kMaxRanges; ++i) {
    CHECK(memory.add({.start = Gpa1(i << 20), .size = 0x1000, .backing = Hpa(0)}));
  }
  CHECK_FALSE(memory.add({.start = Gpa1(0x1000), .size = 0x1000, .backing = Hpa(0)}));
  CHECK_FALSE(memory.translate(Gpa1(0x1000)).has_value());
}
