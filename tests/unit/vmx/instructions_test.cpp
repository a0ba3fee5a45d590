#include <catch2/catch.hpp>

#include "tests/support/fake_vmx_cpu.hpp"
#include "vmx/instructions/execute.hpp"

using namespace archelon;
using namespace archelon::vmx;
using arch::CpuMode;
using arch::Gpr;
using Kind = VmxOutcome::Kind;
using Reason = BasicExitReason;
using test::FakeVmxCpu;

namespace {

constexpr Gpa1 kVmxon{0x1000};
constexpr Gpa1 kVmcsA{0x2000};
constexpr Gpa1 kVmcsB{0x3000};
constexpr std::uint64_t kOperand = 0x8000;  // where memory operands are
// [displacement], DS, 64-bit addresses, second register RCX; and the same with register RAX.
constexpr std::uint32_t kMemory = (2u << 7) | (3u << 15) | (1u << 22) | (1u << 27) | (1u << 28);
constexpr std::uint32_t kRegister = (1u << 10) | (1u << 28);

FakeVmxCpu make_cpu() {
  FakeVmxCpu cpu;
  for (const std::uint64_t page : {0x1000u, 0x2000u, 0x3000u, 0x4000u, 0x5000u, 0x8000u}) {
    cpu.memory.add(Gpa1(page), kPageSize);
  }
  for (const Gpa1 region : {kVmxon, kVmcsA, kVmcsB}) {
    cpu.memory.poke(region, cpu.caps.revision());
  }
  return cpu;
}

VmxOutcome with_pointer(FakeVmxCpu& cpu, Reason reason, std::uint64_t pointer) {
  cpu.memory.poke(Gpa1(kOperand), pointer);
  return execute(cpu, reason, kMemory, kOperand);
}

FakeVmxCpu in_root() {
  FakeVmxCpu cpu = make_cpu();
  REQUIRE(with_pointer(cpu, Reason::kVmxon, kVmxon.value()).kind == Kind::kSucceed);
  return cpu;
}

FakeVmxCpu with_vmcs() {
  FakeVmxCpu cpu = in_root();
  REQUIRE(with_pointer(cpu, Reason::kVmclear, kVmcsA.value()).kind == Kind::kSucceed);
  REQUIRE(with_pointer(cpu, Reason::kVmptrld, kVmcsA.value()).kind == Kind::kSucceed);
  return cpu;
}

bool raised(const VmxOutcome& outcome, arch::Vector vector) {
  return outcome.kind == Kind::kException && outcome.exception.vector == vector;
}

bool failed(const VmxOutcome& outcome, InstructionError error) {
  return outcome.kind == Kind::kFailValid && outcome.error == error;
}

std::uint64_t error_field(FakeVmxCpu& cpu) {
  return cpu.state.current->read(fields::kInstructionError);
}

VmxOutcome vmread_register(FakeVmxCpu& cpu, std::uint64_t encoding) {
  cpu.gprs[Gpr::kRcx] = encoding;
  return execute(cpu, Reason::kVmread, kRegister, 0);
}

VmxOutcome vmwrite_register(FakeVmxCpu& cpu, std::uint64_t encoding, std::uint64_t value) {
  cpu.gprs[Gpr::kRcx] = encoding;
  cpu.gprs[Gpr::kRax] = value;
  return execute(cpu, Reason::kVmwrite, kRegister, 0);
}

constexpr Reason kAll[] = {Reason::kVmxoff,   Reason::kVmclear, Reason::kVmptrld, Reason::kVmptrst,
                           Reason::kVmread,   Reason::kVmwrite, Reason::kVmcall,  Reason::kVmlaunch,
                           Reason::kVmresume, Reason::kInvept,  Reason::kInvvpid};

}  // namespace

TEST_CASE("outside VMX operation every VMX instruction but VMXON is undefined") {
  for (const Reason reason : kAll) {
    FakeVmxCpu cpu = make_cpu();
    cpu.privilege = 3;  // comes later
    CHECK(raised(execute(cpu, reason, kMemory, kOperand), arch::Vector::kUd));
  }
}

TEST_CASE("modes without VMX instructions, and CPL above 0") {
  for (const CpuMode mode : {CpuMode::kReal, CpuMode::kVirtual8086, CpuMode::kCompatibility}) {
    for (const Reason reason : kAll) {
      FakeVmxCpu cpu = with_vmcs();
      cpu.cpu_mode = mode;
      cpu.privilege = 3;
      CHECK(raised(execute(cpu, reason, kMemory, kOperand), arch::Vector::kUd));
    }
    FakeVmxCpu cpu = make_cpu();
    cpu.cpu_mode = mode;
    CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kUd));
  }
  for (const Reason reason : kAll) {
    FakeVmxCpu cpu = with_vmcs();
    cpu.privilege = 3;
    cpu.not_mapped.insert(kOperand);  // the operand is not looked at
    CHECK(raised(execute(cpu, reason, kMemory, kOperand), arch::Vector::kGp));
    CHECK(cpu.state.current != nullptr);
  }
}

TEST_CASE("VMXON: what it demands, in order") {
  FakeVmxCpu cpu = make_cpu();
  cpu.cr4_value &= ~arch::cr4::kVmxe;
  cpu.privilege = 3;
  CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kUd));

  cpu = make_cpu();
  cpu.privilege = 1;
  CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kGp));

  cpu = make_cpu();
  cpu.cr0_value &= ~arch::cr0::kNe;
  cpu.not_mapped.insert(kOperand);
  CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kGp));

  for (const std::uint64_t control : {std::uint64_t{0}, arch::msr::kFeatureControlLocked,
                                      arch::msr::kFeatureControlVmxOutsideSmx}) {
    cpu = make_cpu();
    cpu.feature_control_value = control;
    CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kGp));
  }

  cpu = make_cpu();
  cpu.not_mapped.insert(kOperand);
  CHECK(raised(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), arch::Vector::kPf));

  cpu = make_cpu();
  CHECK(with_pointer(cpu, Reason::kVmxon, kVmxon.value() + 8).kind == Kind::kFailInvalid);
  CHECK(with_pointer(cpu, Reason::kVmxon, bit(40)).kind == Kind::kFailInvalid);
  CHECK(with_pointer(cpu, Reason::kVmxon, 0x4000).kind == Kind::kFailInvalid);   // revision 0
  CHECK(with_pointer(cpu, Reason::kVmxon, 0x70000).kind == Kind::kFailInvalid);  // not RAM
  cpu.memory.poke(kVmxon, cpu.caps.revision() | bit(31));
  CHECK(with_pointer(cpu, Reason::kVmxon, kVmxon.value()).kind == Kind::kFailInvalid);
  CHECK(cpu.state.mode == VmxMode::kOff);

  cpu.memory.poke(kVmxon, cpu.caps.revision());
  CHECK(with_pointer(cpu, Reason::kVmxon, kVmxon.value()).kind == Kind::kSucceed);
  CHECK(cpu.state.mode == VmxMode::kRoot);
  CHECK(cpu.state.current_pointer() == NestedState::kNoVmcs);
}

TEST_CASE("VMXON in root operation fails, validly where there is a current VMCS") {
  FakeVmxCpu cpu = in_root();
  cpu.not_mapped.insert(kOperand);  // the operand is not looked at
  CHECK(execute(cpu, Reason::kVmxon, kMemory, kOperand).kind == Kind::kFailInvalid);
  cpu = with_vmcs();
  CHECK(failed(with_pointer(cpu, Reason::kVmxon, kVmxon.value()), InstructionError::kVmxonInRoot));
  CHECK(error_field(cpu) == 15u);
}

TEST_CASE("VMXOFF leaves VMX operation and writes active VMCSs back") {
  FakeVmxCpu cpu = with_vmcs();
  REQUIRE(vmwrite_register(cpu, fields::kGuestRip.encoding, 0x77).kind == Kind::kSucceed);
  CHECK(execute(cpu, Reason::kVmxoff, 0, 0).kind == Kind::kSucceed);
  CHECK(cpu.state.mode == VmxMode::kOff);
  CHECK(cpu.state.current == nullptr);
  CHECK(cpu.cache->find(kVmcsA) == nullptr);
  Vmcs12 back;
  back.load(cpu.memory, kVmcsA);
  CHECK(back.read(fields::kGuestRip) == 0x77u);
}

TEST_CASE("VMCLEAR") {
  FakeVmxCpu cpu = with_vmcs();
  CHECK(failed(with_pointer(cpu, Reason::kVmclear, kVmcsA.value() + 4),
               InstructionError::kVmclearInvalidAddress));
  CHECK(failed(with_pointer(cpu, Reason::kVmclear, bit(40)),
               InstructionError::kVmclearInvalidAddress));
  CHECK(failed(with_pointer(cpu, Reason::kVmclear, kVmxon.value()),
               InstructionError::kVmclearVmxonPointer));
  CHECK(error_field(cpu) == 3u);
  cpu.not_mapped.insert(kOperand);
  CHECK(raised(with_pointer(cpu, Reason::kVmclear, kVmcsA.value()), arch::Vector::kPf));
  cpu.not_mapped.clear();

  CHECK(with_pointer(cpu, Reason::kVmclear, kVmcsB.value()).kind == Kind::kSucceed);
  CHECK(cpu.state.current_pointer() == kVmcsA.value());  // another VMCS
  // The revision does not matter, nor that it is not RAM.
  CHECK(with_pointer(cpu, Reason::kVmclear, 0x4000).kind == Kind::kSucceed);
  CHECK(with_pointer(cpu, Reason::kVmclear, 0x70000).kind == Kind::kSucceed);

  cpu.state.current->set_launch_state(LaunchState::kLaunched);
  CHECK(with_pointer(cpu, Reason::kVmclear, kVmcsA.value()).kind == Kind::kSucceed);
  CHECK(cpu.state.current == nullptr);
  CHECK(execute(cpu, Reason::kVmlaunch, 0, 0).kind == Kind::kFailInvalid);
  REQUIRE(with_pointer(cpu, Reason::kVmptrld, kVmcsA.value()).kind == Kind::kSucceed);
  CHECK(cpu.state.current->launch_state() == LaunchState::kClear);
}

TEST_CASE("VMPTRLD and VMPTRST") {
  FakeVmxCpu cpu = in_root();
  CHECK(execute(cpu, Reason::kVmptrst, kMemory, kOperand).kind == Kind::kSucceed);
  CHECK(cpu.memory.peek(Gpa1(kOperand)) == ~std::uint64_t{0});
  CHECK(with_pointer(cpu, Reason::kVmptrld, kVmcsA.value() + 1).kind == Kind::kFailInvalid);

  cpu = with_vmcs();
  CHECK(failed(with_pointer(cpu, Reason::kVmptrld, kVmcsA.value() + 1),
               InstructionError::kVmptrldInvalidAddress));
  CHECK(failed(with_pointer(cpu, Reason::kVmptrld, kVmxon.value()),
               InstructionError::kVmptrldVmxonPointer));
  CHECK(
      failed(with_pointer(cpu, Reason::kVmptrld, 0x4000), InstructionError::kVmptrldWrongRevision));
  cpu.memory.poke(kVmcsB, cpu.caps.revision() | bit(31));
  CHECK(failed(with_pointer(cpu, Reason::kVmptrld, kVmcsB.value()),
               InstructionError::kVmptrldWrongRevision));  // shadowing is not offered
  CHECK(cpu.state.current_pointer() == kVmcsA.value());    // still

  cpu.memory.poke(kVmcsB, cpu.caps.revision());
  CHECK(with_pointer(cpu, Reason::kVmptrld, kVmcsB.value()).kind == Kind::kSucceed);
  CHECK(execute(cpu, Reason::kVmptrst, kMemory, kOperand).kind == Kind::kSucceed);
  CHECK(cpu.memory.peek(Gpa1(kOperand)) == kVmcsB.value());
  cpu.not_mapped.insert(kOperand);
  const auto fault = execute(cpu, Reason::kVmptrst, kMemory, kOperand);
  CHECK(raised(fault, arch::Vector::kPf));
  CHECK(fault.exception.error_code == arch::pf::kWrite);
}

TEST_CASE("VMREAD and VMWRITE of registers") {
  FakeVmxCpu cpu = in_root();
  CHECK(vmread_register(cpu, fields::kGuestRip.encoding).kind == Kind::kFailInvalid);
  CHECK(vmwrite_register(cpu, fields::kGuestRip.encoding, 1).kind == Kind::kFailInvalid);

  cpu = with_vmcs();
  CHECK(vmwrite_register(cpu, fields::kEptPointer.encoding, 0x1'0000'2000).kind == Kind::kSucceed);
  CHECK(vmread_register(cpu, fields::kEptPointer.encoding).kind == Kind::kSucceed);
  CHECK(cpu.gprs[Gpr::kRax] == 0x1'0000'2000u);
  CHECK(vmread_register(cpu, fields::kEptPointer.encoding + 1).kind == Kind::kSucceed);
  CHECK(cpu.gprs[Gpr::kRax] == 1u);

  // No such field; one that is not offered; an encoding above 32 bits.
  for (const std::uint64_t encoding :
       {std::uint64_t{0x6830}, std::uint64_t{fields::kPmlAddress.encoding},
        fields::kGuestRip.encoding | bit(32), fields::kGuestRip.encoding | bit(0)}) {
    CHECK(failed(vmread_register(cpu, encoding), InstructionError::kUnsupportedField));
    CHECK(failed(vmwrite_register(cpu, encoding, 1), InstructionError::kUnsupportedField));
  }
  CHECK(error_field(cpu) == 12u);
}

TEST_CASE("32-bit L1s see 32 bits of a field") {
  FakeVmxCpu cpu = with_vmcs();
  cpu.state.current->write(fields::kEptPointer, 0x1111'2222'3333'4444);
  cpu.state.current->write(fields::kGuestCr3, 0x5555'6666'7777'8888);
  cpu.cpu_mode = CpuMode::kProtected;
  CHECK(vmread_register(cpu, fields::kEptPointer.encoding | bit(32)).kind == Kind::kSucceed);
  CHECK(cpu.gprs[Gpr::kRax] == 0x33334444u);
  CHECK(vmread_register(cpu, fields::kEptPointer.encoding + 1).kind == Kind::kSucceed);
  CHECK(cpu.gprs[Gpr::kRax] == 0x11112222u);
  CHECK(vmwrite_register(cpu, fields::kGuestCr3.encoding, 0xffff'ffff'0000'9000).kind ==
        Kind::kSucceed);
  CHECK(cpu.state.current->read(fields::kGuestCr3) == 0x9000u);
  CHECK(vmwrite_register(cpu, fields::kEptPointer.encoding, 0x5).kind == Kind::kSucceed);
  CHECK(cpu.state.current->read(fields::kEptPointer) == 5u);
}

TEST_CASE("VMREAD and VMWRITE of memory: width and order of faults") {
  FakeVmxCpu cpu = with_vmcs();
  cpu.gprs[Gpr::kRcx] = fields::kGuestCsLimit.encoding;
  cpu.memory.poke(Gpa1(kOperand), 0x1'2345'6789);
  CHECK(execute(cpu, Reason::kVmwrite, kMemory, kOperand).kind == Kind::kSucceed);
  CHECK(cpu.state.current->read(fields::kGuestCsLimit) == 0x23456789u);
  CHECK(execute(cpu, Reason::kVmread, kMemory, kOperand).kind == Kind::kSucceed);
  CHECK(cpu.memory.peek(Gpa1(kOperand)) == 0x23456789u);  // 64 bits were written

  cpu.not_mapped.insert(kOperand);
  CHECK(raised(execute(cpu, Reason::kVmread, kMemory, kOperand), arch::Vector::kPf));
  cpu.gprs[Gpr::kRcx] = 0x6830;
  CHECK(failed(execute(cpu, Reason::kVmread, kMemory, kOperand),
               InstructionError::kUnsupportedField));
  CHECK(raised(execute(cpu, Reason::kVmwrite, kMemory, kOperand), arch::Vector::kPf));
  cpu.state.current = nullptr;
  CHECK(execute(cpu, Reason::kVmwrite, kMemory, kOperand).kind == Kind::kFailInvalid);
  CHECK(raised(execute(cpu, Reason::kVmptrld, kMemory, bit(47)), arch::Vector::kGp));

  // A 32-bit L1 writes four bytes, through a segment with a limit.
  cpu = with_vmcs();
  cpu.cpu_mode = CpuMode::kProtected;
  cpu.segments[arch::Segment::kDs] = {
      .selector = 0x10, .access_rights = 0x4093, .limit = 0xfff, .base = kOperand};
  cpu.gprs[Gpr::kRcx] = fields::kGuestCsLimit.encoding;
  cpu.memory.poke(Gpa1(kOperand), ~std::uint64_t{0});
  CHECK(execute(cpu, Reason::kVmread, kMemory, 0).kind == Kind::kSucceed);
  CHECK(cpu.memory.peek(Gpa1(kOperand)) == 0xffffffff00000000u);
  CHECK(raised(execute(cpu, Reason::kVmread, kMemory, 0xffd), arch::Vector::kGp));
}

TEST_CASE("VMWRITE to a read-only field where VMWRITE may not") {
  FakeVmxCpu cpu = with_vmcs();
  CHECK(vmwrite_register(cpu, fields::kExitReason.encoding, 9).kind == Kind::kSucceed);
  CHECK(cpu.state.current->read(fields::kExitReason) == 9u);
  Capabilities caps = cpu.caps;
  caps[arch::msr::kVmxMisc] &= ~misc::kVmwriteAnyField;
  cpu.offer(caps);
  CHECK(failed(vmwrite_register(cpu, fields::kExitReason.encoding, 7),
               InstructionError::kVmwriteReadOnlyField));
  CHECK(cpu.state.current->read(fields::kExitReason) == 9u);
}

TEST_CASE("fields that live in VMCS02 are fetched when read, not when overwritten") {
  FakeVmxCpu cpu = with_vmcs();
  Vmcs12& vmcs = *cpu.state.current;
  vmcs.clean();
  vmcs.leave_in_vmcs02(fields_saved_on_exit(exit_controls::kSaveEfer));
  cpu.vmcs02[position_of(fields::kGuestRip)] = 0xabc;
  cpu.vmcs02[position_of(fields::kGuestEfer)] = 0x1111'2222'3333'4444;

  CHECK(vmread_register(cpu, fields::kGuestRip.encoding).kind == Kind::kSucceed);
  CHECK(cpu.gprs[Gpr::kRax] == 0xabcu);
  CHECK(vmread_register(cpu, fields::kGuestRip.encoding).kind == Kind::kSucceed);
  CHECK(cpu.fetches == 1);
  CHECK(vmwrite_register(cpu, fields::kGuestCr3.encoding, 0x1000).kind == Kind::kSucceed);
  CHECK(cpu.fetches == 1);
  CHECK(vmwrite_register(cpu, fields::kGuestEfer.encoding + 1, 0x9).kind == Kind::kSucceed);
  CHECK(vmcs.read(fields::kGuestEfer) == 0x9'3333'4444u);
  CHECK(vmcs.dirty_groups() ==
        masks_of(FieldGroup::kGuestCrs, FieldGroup::kGuestMsrs));  // not RIP's

  CHECK(with_pointer(cpu, Reason::kVmclear, kVmcsA.value()).kind == Kind::kSucceed);
  REQUIRE(with_pointer(cpu, Reason::kVmptrld, kVmcsA.value()).kind == Kind::kSucceed);
  CHECK(cpu.state.current->read(fields::kGuestRip) == 0xabcu);
}

TEST_CASE("VMLAUNCH and VMRESUME up to the entry checks") {
  FakeVmxCpu cpu = in_root();
  CHECK(execute(cpu, Reason::kVmlaunch, 0, 0).kind == Kind::kFailInvalid);

  cpu = with_vmcs();
  CHECK(failed(execute(cpu, Reason::kVmresume, 0, 0), InstructionError::kVmresumeNonLaunched));
  const auto launch = execute(cpu, Reason::kVmlaunch, 0, 0);
  CHECK(launch.kind == Kind::kEnter);
  CHECK(launch.is_launch);
  cpu.state.current->set_launch_state(LaunchState::kLaunched);
  CHECK(failed(execute(cpu, Reason::kVmlaunch, 0, 0), InstructionError::kVmlaunchNonClear));
  const auto resume = execute(cpu, Reason::kVmresume, 0, 0);
  CHECK(resume.kind == Kind::kEnter);
  CHECK_FALSE(resume.is_launch);
  cpu.mov_ss = true;  // comes before the launch state
  CHECK(failed(execute(cpu, Reason::kVmlaunch, 0, 0), InstructionError::kEntryMovSsBlocking));
}

TEST_CASE("VMCALL and VMFUNC in root operation") {
  FakeVmxCpu cpu = in_root();
  CHECK(execute(cpu, Reason::kVmcall, 0, 0).kind == Kind::kFailInvalid);
  cpu = with_vmcs();
  CHECK(failed(execute(cpu, Reason::kVmcall, 0, 0), InstructionError::kVmcallInRoot));
  CHECK(raised(execute(cpu, Reason::kVmfunc, 0, 0), arch::Vector::kUd));
}

TEST_CASE("flags after a VMX instruction") {
  const std::uint64_t before = arch::rflags::kArithmetic | arch::rflags::kIf | 2;
  const std::uint64_t kept = arch::rflags::kIf | 2;
  CHECK(rflags_after(Kind::kSucceed, before) == kept);
  CHECK(rflags_after(Kind::kFailInvalid, before) == (kept | arch::rflags::kCf));
  CHECK(rflags_after(Kind::kFailValid, before) == (kept | arch::rflags::kZf));
  CHECK(rflags_after(Kind::kException, before) == before);
  CHECK(rflags_after(Kind::kEnter, before) == before);
}
