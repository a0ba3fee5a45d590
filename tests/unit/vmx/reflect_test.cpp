#include "vmx/reflect.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "tests/support/fake_vmcs.hpp"

using namespace archelon;
using namespace archelon::vmx;
using arch::Segment;

namespace {

constexpr std::uint64_t kKept = arch::cr0::kEt | arch::cr0::kNw | arch::cr0::kCd;
constexpr std::uint64_t kMode = arch::efer::kLma | arch::efer::kLme;

test::FakeVmcs host(std::uint32_t exit_word) {
  test::FakeVmcs v;
  v.write(fields::kExitControls, exit_word);
  v.write(fields::kHostCr0, 0x8005'0033);
  v.write(fields::kHostCr3, 0x1234'5000);
  v.write(fields::kHostCr4, arch::cr4::kVmxe | arch::cr4::kPcide | arch::cr4::kSmep);
  v.write(fields::kHostEfer, kMode | arch::efer::kNxe);
  v.write(fields::kHostRip, 0xffff'ffff'8000'1000);
  v.write(fields::kHostRsp, 0xffff'ffff'8000'2000);
  v.write(fields::kHostPat, 0x0007'0406'0007'0406);
  v.write(fields::kHostSysenterCs, 0x10);
  v.write(fields::kHostSysenterEsp, 0x1111);
  v.write(fields::kHostSysenterEip, 0x2222);
  v.write(fields::kHostCsSelector, 0x08);
  v.write(fields::kHostSsSelector, 0x10);
  v.write(fields::kHostDsSelector, 0);
  v.write(fields::kHostEsSelector, 0x18);
  v.write(fields::kHostFsSelector, 0);
  v.write(fields::kHostGsSelector, 0x20);
  v.write(fields::kHostTrSelector, 0x28);
  v.write(fields::kHostFsBase, 0xf5f5'0000);
  v.write(fields::kHostGsBase, 0xffff'8880'0000'0000);
  v.write(fields::kHostTrBase, 0x7000);
  v.write(fields::kHostGdtrBase, 0x8000);
  v.write(fields::kHostIdtrBase, 0x9000);
  return v;
}

ExitInformation page_fault() {
  return {.reason = {0},
          .qualification = 0xc0de,
          .guest_linear_address = 1,
          .guest_physical_address = 2,
          .interruption = InterruptionInfo::exception(arch::Vector::kPf),
          .interruption_error = 4,
          .idt_vectoring = {0x8000'0030},
          .idt_vectoring_error = 5,
          .instruction_length = 6,
          .instruction_info = 7};
}

}  // namespace

TEST_CASE("an exit is recorded, and ends VMCS12's injection") {
  const auto vmcs12 = std::make_unique<Vmcs12>();
  vmcs12->reset(Gpa1(0x1000));
  vmcs12->write(fields::kEntryInterruptionInfo, 0x8000'0b0d);
  vmcs12->clean();
  write_exit_information(*vmcs12, page_fault());
  CHECK(vmcs12->read(fields::kExitReason) == 0);
  CHECK(vmcs12->read(fields::kExitQualification) == 0xc0de);
  CHECK(vmcs12->read(fields::kGuestLinearAddress) == 1);
  CHECK(vmcs12->read(fields::kGuestPhysicalAddress) == 2);
  CHECK(vmcs12->read(fields::kExitInterruptionInfo) == 0x8000'0b0e);
  CHECK(vmcs12->read(fields::kExitInterruptionErrorCode) == 4);
  CHECK(vmcs12->read(fields::kIdtVectoringInfo) == 0x8000'0030);
  CHECK(vmcs12->read(fields::kIdtVectoringErrorCode) == 5);
  CHECK(vmcs12->read(fields::kExitInstructionLength) == 6);
  CHECK(vmcs12->read(fields::kExitInstructionInfo) == 7);
  CHECK(vmcs12->read(fields::kEntryInterruptionInfo) == 0x0000'0b0d);
  // Exit information never goes to VMCS02: the end of the injection alone makes VMCS12 dirty.
  CHECK(vmcs12->dirty_groups() == mask_of(FieldGroup::kEvents));
}

TEST_CASE("a failed entry changes the reason and the qualification and nothing else") {
  const auto vmcs12 = std::make_unique<Vmcs12>();
  vmcs12->reset(Gpa1(0x1000));
  write_exit_information(*vmcs12, page_fault());
  vmcs12->write(fields::kEntryInterruptionInfo, 0x8000'0b0d);
  write_exit_information(
      *vmcs12, {.reason = ExitReason::failed_entry(BasicExitReason::kEntryFailureGuestState),
                .qualification = 4});
  CHECK(vmcs12->read(fields::kExitReason) == 0x8000'0021);
  CHECK(vmcs12->read(fields::kExitQualification) == 4);
  CHECK(vmcs12->read(fields::kExitInterruptionInfo) == 0x8000'0b0e);
  CHECK(vmcs12->read(fields::kExitInstructionLength) == 6);
  CHECK(vmcs12->read(fields::kEntryInterruptionInfo) == 0x8000'0b0d);
}

TEST_CASE("CR0 keeps what an exit does not load") {
  test::FakeVmcs vmcs12 = host(exit_controls::kHostAddressSpaceSize);
  vmcs12.write(fields::kHostCr0, 0xffff'ffff'ffff'ffff & ~kKept);
  CHECK(host_control_state(vmcs12, kKept, 0).cr0 == arch::cr0::kDefined);
  vmcs12.write(fields::kHostCr0, 0x8005'0033 | kKept);
  CHECK(host_control_state(vmcs12, ~kKept, 0).cr0 == (0x8005'0033 & ~kKept));
}

TEST_CASE("the size of the host's addresses decides about CR4.PAE, CR4.PCIDE and EFER's mode") {
  test::FakeVmcs wide = host(exit_controls::kHostAddressSpaceSize);
  const HostControlState state64 = host_control_state(wide, 0, arch::efer::kSce);
  CHECK(state64.cr3 == 0x1234'5000);
  CHECK(state64.cr4 == (arch::cr4::kVmxe | arch::cr4::kPcide | arch::cr4::kSmep | arch::cr4::kPae));
  CHECK(state64.efer == (arch::efer::kSce | kMode));

  test::FakeVmcs narrow = host(0);
  const HostControlState state32 = host_control_state(narrow, 0, arch::efer::kSce | kMode);
  CHECK(state32.cr4 == (arch::cr4::kVmxe | arch::cr4::kSmep));
  CHECK(state32.efer == arch::efer::kSce);
  narrow.write(fields::kHostCr4, arch::cr4::kPae);
  CHECK(host_control_state(narrow, 0, 0).cr4 == arch::cr4::kPae);
}

TEST_CASE("EFER is loaded where L1 asks for that") {
  test::FakeVmcs vmcs12 = host(exit_controls::kHostAddressSpaceSize | exit_controls::kLoadEfer);
  CHECK(host_control_state(vmcs12, 0, arch::efer::kSce).efer == (kMode | arch::efer::kNxe));
}

TEST_CASE("the host's segments are flat, whatever its descriptors say") {
  for (const bool wide : {true, false}) {
    test::FakeVmcs vmcs12 = host(wide ? exit_controls::kHostAddressSpaceSize : 0);
    test::FakeVmcs vmcs01;
    load_host_state(vmcs12, vmcs01);
    const auto segment = [&](Segment s) { return read_guest_segment(vmcs01, s); };
    using Register = arch::SegmentRegister;
    CHECK(segment(Segment::kCs) == Register{0x08, wide ? 0xa09bu : 0xc09bu, ~0u, 0});
    CHECK(segment(Segment::kSs) == Register{0x10, 0xc093, ~0u, 0});
    CHECK(segment(Segment::kEs) == Register{0x18, 0xc093, ~0u, 0});
    CHECK(segment(Segment::kGs) == Register{0x20, 0xc093, ~0u, 0xffff'8880'0000'0000});
    CHECK_FALSE(segment(Segment::kDs).usable());
    CHECK_FALSE(segment(Segment::kFs).usable());
    CHECK(segment(Segment::kFs).base == 0xf5f5'0000);  // loaded though unusable
    CHECK(segment(Segment::kTr) == Register{0x28, 0x8b, 0x67, 0x7000});
    CHECK(segment(Segment::kLdtr).selector == 0);
    CHECK_FALSE(segment(Segment::kLdtr).usable());
    CHECK(vmcs01.read(fields::kGuestGdtrBase) == 0x8000);
    CHECK(vmcs01.read(fields::kGuestGdtrLimit) == 0xffff);
    CHECK(vmcs01.read(fields::kGuestIdtrBase) == 0x9000);
    CHECK(vmcs01.read(fields::kGuestIdtrLimit) == 0xffff);
  }
}

TEST_CASE("the host starts at its RIP with clean flags, debug registers and MSRs") {
  test::FakeVmcs vmcs12 = host(exit_controls::kHostAddressSpaceSize);
  test::FakeVmcs vmcs01;
  vmcs01.write(fields::kGuestRflags, 0x246);
  vmcs01.write(fields::kGuestDr7, 0x555);
  vmcs01.write(fields::kGuestDebugCtl, 3);
  vmcs01.write(fields::kGuestInterruptibilityState, 1);
  vmcs01.write(fields::kGuestPendingDebugExceptions, 0x4000);
  vmcs01.write(fields::kGuestPat, 6);
  load_host_state(vmcs12, vmcs01);
  CHECK(vmcs01.read(fields::kGuestRip) == 0xffff'ffff'8000'1000);
  CHECK(vmcs01.read(fields::kGuestRsp) == 0xffff'ffff'8000'2000);
  CHECK(vmcs01.read(fields::kGuestRflags) == 2);
  CHECK(vmcs01.read(fields::kGuestDr7) == 0x400);
  CHECK(vmcs01.read(fields::kGuestDebugCtl) == 0);
  CHECK(vmcs01.read(fields::kGuestInterruptibilityState) == 0);
  CHECK(vmcs01.read(fields::kGuestPendingDebugExceptions) == 0);
  CHECK(vmcs01.read(fields::kGuestSysenterCs) == 0x10);
  CHECK(vmcs01.read(fields::kGuestSysenterEsp) == 0x1111);
  CHECK(vmcs01.read(fields::kGuestSysenterEip) == 0x2222);
  CHECK(vmcs01.read(fields::kGuestPat) == 6);  // not loaded
  vmcs12.write(fields::kExitControls, exit_controls::kLoadPat);
  load_host_state(vmcs12, vmcs01);
  CHECK(vmcs01.read(fields::kGuestPat) == 0x0007'0406'0007'0406);
}

TEST_CASE("an exit leaves L0's own controls of VMCS01 alone") {
  test::FakeVmcs vmcs12 = host(~0u);
  test::FakeVmcs vmcs01;
  load_host_state(vmcs12, vmcs01);
  for (const std::uint32_t encoding : vmcs01.writes) {
    CHECK(field_type(encoding) == FieldType::kGuestState);
  }
}
