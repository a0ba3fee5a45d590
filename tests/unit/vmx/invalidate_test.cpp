#include "vmx/instructions/invalidate.hpp"

#include <catch2/catch.hpp>

#include "tests/support/fake_vmx_cpu.hpp"

using namespace archelon;
using namespace archelon::vmx;
using arch::Gpr;
using Kind = VmxOutcome::Kind;
using test::FakeVmxCpu;

namespace {

constexpr std::uint64_t kOperand = 0x8000;
constexpr std::uint32_t kMemory =
    (2u << 7) | (3u << 15) | (1u << 22) | (1u << 27) | (1u << 28);  // type in RCX

struct Fixture {
  FakeVmxCpu cpu;

  Fixture() {
    cpu.state.mode = VmxMode::kRoot;
    cpu.memory.add(Gpa1(kOperand), kPageSize);
    cpu.memory.add(Gpa1(0x2000), kPageSize);
    cpu.state.current = &cpu.load_vmcs12(Gpa1(0x2000));
  }
  VmxOutcome ept(std::uint64_t type, std::uint64_t low, std::uint64_t high = 0) {
    place(type, low, high);
    return invept(cpu, kMemory, kOperand);
  }
  VmxOutcome vpid(std::uint64_t type, std::uint64_t low, std::uint64_t high = 0) {
    place(type, low, high);
    return invvpid(cpu, kMemory, kOperand);
  }

 private:
  void place(std::uint64_t type, std::uint64_t low, std::uint64_t high) {
    cpu.gprs[Gpr::kRcx] = type;
    cpu.memory.poke(Gpa1(kOperand), low);
    cpu.memory.poke(Gpa1(kOperand + 8), high);
  }
};

bool refused(const VmxOutcome& outcome) {
  return outcome.kind == Kind::kFailValid &&
         outcome.error == InstructionError::kInvalidInvalidationOperand && !outcome.invalidation;
}

constexpr std::uint64_t kGoodEptp = 0x5000 | (3 << 3) | 6;

}  // namespace

TEST_CASE("INVEPT") {
  Fixture f;
  const auto single = f.ept(1, kGoodEptp);
  CHECK(single.kind == Kind::kSucceed);
  CHECK(single.invalidation ==
        Invalidation{
            .kind = Invalidation::Kind::kEptSingle, .vpid = 0, .eptp = kGoodEptp, .linear = Gva{}});
  CHECK(f.ept(2, ~std::uint64_t{0}).invalidation->kind == Invalidation::Kind::kEptAll);
  CHECK(refused(f.ept(0, kGoodEptp)));
  CHECK(refused(f.ept(3, kGoodEptp)));
  CHECK(refused(f.ept(bit(32) | 2, kGoodEptp)));
  CHECK(refused(f.ept(1, kGoodEptp | bit(7))));
  CHECK(refused(f.ept(1, kGoodEptp | bit(40))));  // beyond the physical addresses
  CHECK(refused(f.ept(1, 0x5000 | (2 << 3) | 6)));

  f.cpu.cpu_mode = arch::CpuMode::kProtected;
  f.cpu.segments[arch::Segment::kDs] = {
      .selector = 8, .access_rights = 0xc093, .limit = 0xffffffff, .base = 0};
  CHECK(f.ept(bit(32) | 2, kGoodEptp).kind == Kind::kSucceed);  // 32 bits of the register
}

TEST_CASE("INVEPT: a bad type is found before the operand is read") {
  Fixture f;
  f.cpu.not_mapped.insert(kOperand);
  CHECK(refused(f.ept(9, kGoodEptp)));
  CHECK(f.ept(2, kGoodEptp).kind == Kind::kException);
  CHECK(f.ept(1, kGoodEptp).exception.vector == arch::Vector::kPf);
}

TEST_CASE("types that are not offered, and instructions that are not") {
  Fixture f;
  Capabilities caps = f.cpu.caps;
  caps[arch::msr::kVmxEptVpidCap] &= ~(ept_vpid::kInveptSingle | ept_vpid::kInvvpidAddress);
  f.cpu.offer(caps);
  CHECK(refused(f.ept(1, kGoodEptp)));
  CHECK(f.ept(2, kGoodEptp).kind == Kind::kSucceed);
  CHECK(refused(f.vpid(0, 1)));
  CHECK(f.vpid(1, 1).kind == Kind::kSucceed);
  caps[arch::msr::kVmxEptVpidCap] = 0;
  f.cpu.offer(caps);
  CHECK(f.ept(2, kGoodEptp).exception.vector == arch::Vector::kUd);
  CHECK(f.vpid(2, 1).exception.vector == arch::Vector::kUd);
}

TEST_CASE("INVVPID") {
  Fixture f;
  CHECK(f.vpid(0, 7, 0x1000).invalidation ==
        Invalidation{
            .kind = Invalidation::Kind::kVpidAddress, .vpid = 7, .eptp = 0, .linear = Gva{0x1000}});
  CHECK(f.vpid(1, 7).invalidation->kind == Invalidation::Kind::kVpidSingle);
  CHECK(f.vpid(2, 0).invalidation->kind == Invalidation::Kind::kVpidAll);
  CHECK(f.vpid(3, 7).invalidation->kind == Invalidation::Kind::kVpidSingleRetainGlobals);
  CHECK(refused(f.vpid(4, 7)));
  CHECK(refused(f.vpid(~std::uint64_t{0}, 7)));
  CHECK(refused(f.vpid(0, 0, 0x1000)));
  CHECK(refused(f.vpid(1, 0)));
  CHECK(refused(f.vpid(3, 0)));
  CHECK(refused(f.vpid(2, 0x10000)));                // reserved bits, even for "all"
  CHECK(refused(f.vpid(0, 7, 0x0000800000000000)));  // not canonical
  CHECK(f.vpid(1, 7, 0x0000800000000000).kind == Kind::kSucceed);
}
