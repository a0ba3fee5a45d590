#include "vmx/operand.hpp"

#include <catch2/catch.hpp>

using namespace archelon;
using namespace archelon::vmx;
using arch::CpuMode;
using arch::Gpr;
using arch::Segment;
using arch::SegmentRegister;

namespace {

// Instruction information of a memory operand, in the SDM's layout.
constexpr std::uint32_t memory_info(unsigned size_code, Segment segment, int base, int index,
                                    unsigned scale, unsigned second) {
  return scale | (size_code << 7) | (static_cast<std::uint32_t>(segment) << 15) |
         (index < 0 ? 1u << 22 : static_cast<std::uint32_t>(index) << 18) |
         (base < 0 ? 1u << 27 : static_cast<std::uint32_t>(base) << 23) | (second << 28);
}

constexpr SegmentRegister segment(std::uint32_t rights, std::uint32_t limit,
                                  std::uint64_t base = 0) {
  return {.selector = 8, .access_rights = rights, .limit = limit, .base = base};
}

constexpr auto kRead = OperandAccess::kRead;
constexpr auto kWrite = OperandAccess::kWrite;

// The vector of the fault, or 0xff for none.
int fault(Segment name, const SegmentRegister& s, std::uint64_t offset, unsigned size,
          OperandAccess access, CpuMode mode = CpuMode::kProtected) {
  const auto r = linear_address(name, s, offset, size, access, mode, 48);
  if (r.ok()) {
    return 0xff;
  }
  CHECK(r.error().error_code == 0u);
  return static_cast<int>(r.error().vector);
}

constexpr int kNone = 0xff;
constexpr int kGp = 13;
constexpr int kSs = 12;

}  // namespace

TEST_CASE("instruction information is decoded") {
  const auto m = InstructionInfo::decode(memory_info(2, Segment::kFs, 13, 5, 3, 9));
  CHECK_FALSE(m.register_operand.has_value());
  CHECK(m.base == Gpr::kR13);
  CHECK(m.index == Gpr::kRbp);
  CHECK(m.scale_shift == 3);
  CHECK(m.address_bits == 64);
  CHECK(m.segment == Segment::kFs);
  CHECK(m.second_register == Gpr::kR9);

  const auto none = InstructionInfo::decode(memory_info(1, Segment::kDs, -1, -1, 0, 0));
  CHECK_FALSE(none.base.has_value());
  CHECK_FALSE(none.index.has_value());
  CHECK(none.address_bits == 32);

  const auto r = InstructionInfo::decode((1u << 10) | (11u << 3) | (2u << 28));
  CHECK(r.register_operand == Gpr::kR11);
  CHECK(r.second_register == Gpr::kRdx);
  CHECK(InstructionInfo::decode(7u << 15).segment == Segment::kDs);  // undefined value
}

TEST_CASE("effective addresses are cut to the address size") {
  const auto wide = InstructionInfo::decode(memory_info(2, Segment::kDs, 0, 1, 2, 0));
  CHECK(effective_address(wide, 0x10, 0x1000, 0x3) == 0x101cu);
  CHECK(effective_address(wide, ~std::uint64_t{7}, 0x1000, 0) == 0xff8u);  // displacement -8
  const auto narrow = InstructionInfo::decode(memory_info(1, Segment::kDs, 0, 1, 0, 0));
  CHECK(effective_address(narrow, 0xdead'0000'0010, 0xffffffff, 0) == 0xfu);
  const auto tiny = InstructionInfo::decode(memory_info(0, Segment::kDs, 3, 6, 0, 0));
  CHECK(effective_address(tiny, 2, 0xffff, 0x11) == 0x12u);
  const auto absolute = InstructionInfo::decode(memory_info(2, Segment::kDs, -1, -1, 0, 0));
  CHECK(effective_address(absolute, 0x1234, 99, 99) == 0x1234u);
}

TEST_CASE("64-bit mode: bases of FS and GS count, addresses must be canonical") {
  const auto flat = segment(0, 0, 0x5000);
  const auto at = [&](Segment name, std::uint64_t offset) {
    return linear_address(name, flat, offset, 8, kRead, CpuMode::k64Bit, 48).value().value();
  };
  CHECK(at(Segment::kGs, 0x10) == 0x5010u);
  CHECK(at(Segment::kDs, 0x10) == 0x10u);
  CHECK(at(Segment::kSs, 0xffff800000000000) == 0xffff800000000000u);

  CHECK(fault(Segment::kDs, flat, 0x0000800000000000, 8, kRead, CpuMode::k64Bit) == kGp);
  CHECK(fault(Segment::kSs, flat, 0x0000800000000000, 8, kRead, CpuMode::k64Bit) == kSs);
  // The last byte counts as well, and the base is added before the check.
  CHECK(fault(Segment::kDs, flat, 0x00007ffffffffffc, 8, kRead, CpuMode::k64Bit) == kGp);
  CHECK(fault(Segment::kFs, flat, 0x00007ffffffff000, 8, kRead, CpuMode::k64Bit) == kGp);
  // 57 bits of linear address reach farther.
  CHECK(linear_address(Segment::kDs, flat, 0x0000800000000000, 8, kRead, CpuMode::k64Bit, 57).ok());
}

TEST_CASE("protected mode: type, presence and limit") {
  const auto data = segment(0x4093, 0xfff, 0x10000);
  CHECK(linear_address(Segment::kDs, data, 0xff8, 8, kRead, CpuMode::kProtected, 48)
            .value()
            .value() == 0x10ff8u);
  CHECK(fault(Segment::kDs, data, 0xff9, 8, kRead) == kGp);
  CHECK(fault(Segment::kSs, data, 0xff9, 8, kRead) == kSs);
  CHECK(fault(Segment::kDs, data, 0xff8, 8, kWrite) == kNone);

  const auto read_only = segment(0x4091, 0xfff);
  CHECK(fault(Segment::kDs, read_only, 0, 8, kRead) == kNone);
  CHECK(fault(Segment::kDs, read_only, 0, 8, kWrite) == kGp);
  CHECK(fault(Segment::kCs, segment(0x409b, 0xfff), 0, 8, kWrite) == kGp);
  CHECK(fault(Segment::kCs, segment(0x409b, 0xfff), 0, 8, kRead) == kNone);
  CHECK(fault(Segment::kCs, segment(0x4099, 0xfff), 0, 8, kRead) == kGp);  // execute-only

  auto null = segment(0x10000, 0xffffffff);
  CHECK(fault(Segment::kEs, null, 0, 8, kRead) == kGp);
  CHECK(fault(Segment::kSs, null, 0, 8, kRead) == kSs);
}

TEST_CASE("protected mode: expand-down segments are valid above their limit") {
  const auto big = segment(0x4097, 0xfff);
  CHECK(fault(Segment::kDs, big, 0xfff, 8, kRead) == kGp);
  CHECK(fault(Segment::kDs, big, 0x1000, 8, kRead) == kNone);
  CHECK(fault(Segment::kDs, big, 0xfffffff9, 8, kRead) == kGp);
  const auto small = segment(0x0097, 0xfff);
  CHECK(fault(Segment::kDs, small, 0xfff8, 8, kRead) == kNone);
  CHECK(fault(Segment::kDs, small, 0xfff9, 8, kRead) == kGp);
}

TEST_CASE("protected mode: linear addresses wrap at 4 GiB") {
  const auto high = segment(0xc093, 0xffffffff, 0xfffff000);
  CHECK(linear_address(Segment::kDs, high, 0x2000, 8, kRead, CpuMode::kProtected, 48)
            .value()
            .value() == 0x1000u);
}
