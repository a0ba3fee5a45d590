#include "hv/guest/mmio_instruction.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <initializer_list>
#include <vector>

using namespace archelon;
using namespace archelon::guest;
using arch::Gpr;
using arch::Gprs;
using arch::Segment;

namespace {

Result<MmioInstruction, MmioDecodeFault> decode_bytes(CodeSize code_size,
                                                      std::initializer_list<int> list) {
  std::vector<std::byte> bytes;
  for (const int value : list) {
    bytes.push_back(static_cast<std::byte>(value));
  }
  return decode(bytes, code_size);
}

}  // namespace

TEST_CASE("how Linux reads and writes the local APIC") {
  // mov %eax,0xffffffffff5fc0b0 (32-bit displacement, sign-extended)
  const auto write = decode_bytes(CodeSize::k64, {0x89, 0x04, 0x25, 0xB0, 0xC0, 0x5F, 0xFF});
  REQUIRE(write.ok());
  CHECK(write->operation == MmioOperation::kMove);
  CHECK(write->writes);
  CHECK_FALSE(write->reads);
  CHECK(write->length == 7);
  CHECK(write->size == 4);
  Gprs gprs;
  gprs[Gpr::kRax] = 0xAAAA'BBBB'1234'5678;
  CHECK(linear_address(*write, write->destination, gprs, 0, 0x9999) == 0xFFFF'FFFF'FF5F'C0B0);
  std::uint64_t rflags = 2;
  const MmioOutcome outcome = execute(*write, 0, gprs, rflags);
  CHECK(outcome.write);
  CHECK(outcome.value == 0x1234'5678);
  CHECK(outcome.done);

  // mov 0x10(%rax,%rdi,4),%r9d
  const auto read = decode_bytes(CodeSize::k64, {0x44, 0x8B, 0x4C, 0xB8, 0x10});
  REQUIRE(read.ok());
  CHECK(read->reads);
  gprs[Gpr::kRax] = 0x1000;
  gprs[Gpr::kRdi] = 3;
  gprs[Gpr::kR9] = ~0ULL;
  CHECK(linear_address(*read, read->source, gprs, 0, 0) == 0x101C);
  CHECK_FALSE(execute(*read, 0xFFFF'FFFF'8000'0001, gprs, rflags).write);
  CHECK(gprs[Gpr::kR9] == 0x8000'0001);
}

TEST_CASE("RIP-relative operands count from the next instruction") {
  // movl $0x12345678,0x100(%rip)
  const auto in = decode_bytes(CodeSize::k64, {0xC7, 0x05, 0, 1, 0, 0, 0x78, 0x56, 0x34, 0x12});
  REQUIRE(in.ok());
  CHECK(in->immediate == 0x1234'5678);
  CHECK(linear_address(*in, in->destination, {}, 0x40'0000, 0) == 0x40'010A);
  // The same bytes in 32-bit code are an absolute address.
  const auto in32 = decode_bytes(CodeSize::k32, {0xC7, 0x05, 0, 1, 0, 0, 0x78, 0x56, 0x34, 0x12});
  CHECK(linear_address(*in32, in32->destination, {}, 0x40'0000, 0) == 0x100);
}

TEST_CASE("16-bit addressing wraps at 64 KiB and BP means the stack segment") {
  // mov %al,0x10(%bp,%si)
  const auto in = decode_bytes(CodeSize::k16, {0x88, 0x42, 0x10});
  REQUIRE(in.ok());
  CHECK(in->destination.segment == Segment::kSs);
  CHECK(in->size == 1);
  Gprs gprs;
  gprs[Gpr::kRbp] = 0x5'FFF0;
  gprs[Gpr::kRsi] = 0x8;
  CHECK(linear_address(*in, in->destination, gprs, 0, 0x2'0000) == 0x2'0008);
  // mov %fs:0x1234,%ax ; mov (%bx),%eax with both size prefixes elsewhere
  const auto moffs = decode_bytes(CodeSize::k16, {0x64, 0xA1, 0x34, 0x12});
  CHECK(moffs->source.segment == Segment::kFs);
  CHECK(moffs->size == 2);
  const auto wide = decode_bytes(CodeSize::k16, {0x66, 0x67, 0x8B, 0x03});
  CHECK(wide->size == 4);
  CHECK(wide->source.base == Gpr::kRbx);
  CHECK(wide->source.address_size == 4);
}

TEST_CASE("segments of 32-bit code are added within 4 GiB") {
  // mov %ecx,-4(%ebp)
  const auto in = decode_bytes(CodeSize::k32, {0x89, 0x4D, 0xFC});
  REQUIRE(in.ok());
  CHECK(in->destination.segment == Segment::kSs);
  Gprs gprs;
  gprs[Gpr::kRbp] = 0xFEE0'0304;
  CHECK(linear_address(*in, in->destination, gprs, 0, 0x1000'0000) == 0x0EE0'0300);
  // 0x63 is ARPL here, and 0x40 is INC, not REX.
  CHECK(decode_bytes(CodeSize::k32, {0x63, 0x00}).error() == MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k32, {0x48, 0x89, 0x00}).error() == MmioDecodeFault::kUnsupported);
}

TEST_CASE("in 64-bit code only FS and GS have a base") {
  const auto gs = decode_bytes(CodeSize::k64, {0x65, 0x8B, 0x07});
  const auto es = decode_bytes(CodeSize::k64, {0x26, 0x8B, 0x07});
  CHECK(linear_address(*gs, gs->source, {}, 0, 0x7000) == 0x7000);
  CHECK(linear_address(*es, es->source, {}, 0, 0x7000) == 0);
}

TEST_CASE("high byte registers exist only without REX") {
  Gprs gprs;
  gprs[Gpr::kRax] = 0x1122;
  gprs[Gpr::kRsp] = 0x3344;
  std::uint64_t rflags = 2;
  const auto ah = decode_bytes(CodeSize::k64, {0x88, 0x27});         // mov %ah,(%rdi)
  const auto spl = decode_bytes(CodeSize::k64, {0x40, 0x88, 0x27});  // mov %spl,(%rdi)
  CHECK(execute(*ah, 0, gprs, rflags).value == 0x11);
  CHECK(execute(*spl, 0, gprs, rflags).value == 0x44);
  // A REX prefix before another prefix does not count.
  const auto stale = decode_bytes(CodeSize::k64, {0x48, 0x66, 0x8B, 0x07});
  CHECK(stale->size == 2);
}

TEST_CASE("REP goes on one element at a time") {
  // rep stosl
  const auto in = decode_bytes(CodeSize::k64, {0xF3, 0xAB});
  Gprs gprs;
  gprs[Gpr::kRax] = 0x55;
  gprs[Gpr::kRcx] = 2;
  gprs[Gpr::kRdi] = 0x1000;
  std::uint64_t rflags = 2;
  const MmioOutcome first = execute(*in, 0, gprs, rflags);
  CHECK(first.write);
  CHECK_FALSE(first.done);
  CHECK(gprs[Gpr::kRdi] == 0x1004);
  CHECK(gprs[Gpr::kRcx] == 1);
  CHECK(execute(*in, 0, gprs, rflags).done);
  const MmioOutcome beyond = execute(*in, 0, gprs, rflags);  // RCX is 0: nothing happens
  CHECK(beyond.done);
  CHECK_FALSE(beyond.write);
  CHECK(gprs[Gpr::kRdi] == 0x1008);
  CHECK(gprs[Gpr::kRcx] == 0);

  // movsb in 32-bit code with %fs, backwards
  const auto movs = decode_bytes(CodeSize::k32, {0x64, 0xA4});
  CHECK(movs->two_operands);
  CHECK(movs->source.segment == Segment::kFs);
  CHECK(movs->destination.segment == Segment::kEs);
  gprs[Gpr::kRsi] = 0;
  rflags |= 0x400;
  CHECK(execute(*movs, 0x1FF, gprs, rflags).value == 0xFF);
  CHECK(gprs[Gpr::kRsi] == 0xFFFF'FFFF);
}

TEST_CASE("BT with a register reaches beyond its operand, downwards too") {
  // bts %ecx,(%rdi)
  const auto in = decode_bytes(CodeSize::k64, {0x0F, 0xAB, 0x0F});
  REQUIRE(in.ok());
  Gprs gprs;
  gprs[Gpr::kRdi] = 0x1000;
  gprs[Gpr::kRcx] = static_cast<std::uint32_t>(-1);
  CHECK(linear_address(*in, in->source, gprs, 0, 0) == 0xFFC);
  std::uint64_t rflags = 2;
  const MmioOutcome outcome = execute(*in, 0, gprs, rflags);
  CHECK(outcome.value == 0x8000'0000);
  CHECK((rflags & 1) == 0);
}

TEST_CASE("what is not emulated is refused with its bytes") {
  CHECK(decode_bytes(CodeSize::k64, {0x89, 0xC0}).error() == MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k64, {0x0F, 0xAE, 0x38}).error() == MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k64, {0xC5, 0xF8, 0x10, 0}).error() ==
        MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k64, {0xF0, 0x89, 0x00}).error() == MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k32, {0xFF, 0x30}).error() == MmioDecodeFault::kUnsupported);
  CHECK(decode_bytes(CodeSize::k64, {0x8B}).error() == MmioDecodeFault::kCutOff);
  CHECK(decode_bytes(CodeSize::k64, {}).error() == MmioDecodeFault::kCutOff);
  CHECK(decode_bytes(CodeSize::k64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                     0x66, 0x66, 0x66, 0x66, 0x8B, 0x00})
            .error() == MmioDecodeFault::kTooLong);
  std::array<char, 80> line;
  const std::array<std::byte, 3> bytes{std::byte{0x0F}, std::byte{0xAE}, std::byte{0x38}};
  CHECK(describe(line, MmioDecodeFault::kUnsupported, bytes) ==
        "unsupported instruction, bytes 0f ae 38");
}
