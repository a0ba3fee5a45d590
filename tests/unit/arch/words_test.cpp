#include <catch2/catch.hpp>

#include "hv/arch/cpuid.hpp"
#include "hv/arch/cr.hpp"
#include "hv/arch/exception.hpp"
#include "hv/arch/msr.hpp"
#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"

using namespace archelon;
using namespace archelon::arch;

TEST_CASE("XCR0 values as XSETBV judges them") {
  const std::uint64_t all = 0x6ff | xcr0::kTileCfg | xcr0::kTileData;
  CHECK(is_valid_xcr0(0x1, all));
  CHECK(is_valid_xcr0(0x7, all));
  CHECK(is_valid_xcr0(0xe7, all));
  CHECK_FALSE(is_valid_xcr0(0x2, all));      // x87 is not optional
  CHECK_FALSE(is_valid_xcr0(0x5, all));      // AVX without SSE
  CHECK_FALSE(is_valid_xcr0(0xe3, all));     // AVX-512 without AVX
  CHECK_FALSE(is_valid_xcr0(0x67, all));     // part of AVX-512
  CHECK_FALSE(is_valid_xcr0(0x9, all));      // half of MPX
  CHECK_FALSE(is_valid_xcr0(0x20003, all));  // half of AMX
  CHECK_FALSE(is_valid_xcr0(0x7, 0x3));      // not offered
}

TEST_CASE("PAT values as WRMSR judges them") {
  CHECK(msr::is_valid_pat(msr::kPatReset));
  CHECK(msr::is_valid_pat(0x0007010600070106));
  CHECK_FALSE(msr::is_valid_pat(0x0007040600070402));
  CHECK_FALSE(msr::is_valid_pat(0x0807040600070406));
  CHECK_FALSE(msr::is_valid_pat(0x0003040600070406));
}

TEST_CASE("segment descriptors go round") {
  const SegmentRegister flat{
      .selector = 0x10, .access_rights = ar::kFlatCode64, .limit = 0xffffffff, .base = 0};
  CHECK(encode_descriptor(flat) == 0x00af9b000000ffffu);
  CHECK(decode_descriptor(0x10, 0x00af9b000000ffff) == flat);

  const SegmentRegister tss{
      .selector = 0x40, .access_rights = 0x8b, .limit = 0x67, .base = 0x12345678};
  CHECK(encode_descriptor(tss) == 0x12008b3456780067u);
  CHECK(decode_descriptor(0x40, 0x12008b3456780067) == tss);

  CHECK_FALSE(decode_descriptor(0x8, 0).usable());
  CHECK(name(Segment::kLdtr) == "LDTR");
}

TEST_CASE("exceptions: error codes and what a second one makes") {
  CHECK(has_error_code(Vector::kAc));
  CHECK(has_error_code(Vector::kDf));
  CHECK_FALSE(has_error_code(Vector::kMc));
  CHECK_FALSE(has_error_code(Vector::kVe));
  CHECK(combine_exceptions(Vector::kGp, Vector::kNp) == SecondFault::kDoubleFault);
  CHECK(combine_exceptions(Vector::kGp, Vector::kPf) == SecondFault::kSerial);
  CHECK(combine_exceptions(Vector::kPf, Vector::kGp) == SecondFault::kDoubleFault);
  CHECK(combine_exceptions(Vector::kPf, Vector::kPf) == SecondFault::kDoubleFault);
  CHECK(combine_exceptions(Vector::kUd, Vector::kPf) == SecondFault::kSerial);
  CHECK(combine_exceptions(Vector::kDf, Vector::kPf) == SecondFault::kShutdown);
  CHECK(combine_exceptions(Vector::kDf, Vector::kDb) == SecondFault::kSerial);
}

TEST_CASE("general registers are indexed by number") {
  Gprs gprs;
  gprs[Gpr::kR15] = 15;
  gprs[Gpr::kRbp] = 5;
  CHECK(gprs.value[15] == 15u);
  CHECK(gprs.value[5] == 5u);
}

TEST_CASE("address sizes of CPUID") {
  const CpuidResult sizes{.eax = 0x3027, .ebx = 0, .ecx = 0, .edx = 0};
  CHECK(cpuid::physical_bits(sizes) == 39);
  CHECK(cpuid::linear_bits(sizes) == 48);
}
