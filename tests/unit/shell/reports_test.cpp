#include "hv/shell/reports.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "hv/shell/vmcs_report.hpp"
#include "tests/support/machine_capabilities.hpp"
#include "tests/unit/shell/text_output.hpp"
#include "vmx/l1_capabilities.hpp"

using namespace archelon;
using namespace archelon::shell;

namespace {

template <class T>
void set(VmcsSnapshot& vmcs, vmx::Field<T> field, std::uint64_t value) {
  vmcs.set(vmx::position_of(field), value);
}

// What is printed for one field: the line with its value and those that explain it.
template <class T>
std::string printed(vmx::Field<T> field, std::uint64_t value) {
  VmcsSnapshot vmcs;
  set(vmcs, field, value);
  TextOutput text;
  print_vmcs(vmcs, text.out());
  const std::size_t start = text.text.find("\n  ") + 1;
  std::string lines;
  for (std::size_t at = start; at < text.text.size() && text.text[at] == ' ';) {
    const std::size_t end = text.text.find('\n', at);
    std::string line = text.text.substr(at, end - at);
    lines += line.substr(line.find_first_not_of(' ')) + "|";
    at = end + 1;
  }
  return lines;
}

std::string row(std::string_view name, std::string_view value) {
  std::string line(name);
  line.resize(39, ' ');
  return line + std::string(value) + "|";
}

}  // namespace

TEST_CASE("a VMCS field is printed in its width with its meaning") {
  using namespace vmx::fields;
  CHECK(printed(kVpid, 1) == row("VPID", "0x0001"));
  CHECK(printed(kGuestRip, 0xffffffff81000000) == row("GUEST_RIP", "0xffffffff81000000"));
  CHECK(printed(kGuestGdtrLimit, 0x7f) == row("GUEST_GDTR_LIMIT", "0x0000007f"));
  CHECK(printed(kPinControls, 0x9) ==
        row("PIN_BASED_CONTROLS", "0x00000009") + "external-interrupt exiting, NMI exiting|");
  CHECK(printed(kPinControls, 0x17) ==
        row("PIN_BASED_CONTROLS", "0x00000017") + "external-interrupt exiting, other bits 0x16|");
  CHECK(printed(kExitReason, 0x80000021) ==
        row("EXIT_REASON", "0x80000021") + "ENTRY_FAILURE_GUEST_STATE, the VM entry failed|");
  CHECK(printed(kExceptionBitmap, 0x4002) == row("EXCEPTION_BITMAP", "0x00004002") + "#DB, #PF|");
  CHECK(printed(kExitInterruptionInfo, 0x80000b0e) ==
        row("VM_EXIT_INTERRUPTION_INFO", "0x80000b0e") +
            "hardware exception, vector 14 (#PF), with error code|");
  CHECK(printed(kEntryInterruptionInfo, 0x0b0e) == row("VM_ENTRY_INTERRUPTION_INFO", "0x00000b0e"));
  CHECK(printed(kGuestCsAccessRights, 0xa09b) ==
        row("GUEST_CS_ACCESS_RIGHTS", "0x0000a09b") +
            "code or data type 11, DPL 0, present, 64-bit, limit in pages|");
  CHECK(printed(kGuestLdtrAccessRights, 0x10000) ==
        row("GUEST_LDTR_ACCESS_RIGHTS", "0x00010000") + "unusable|");
  CHECK(printed(kEptPointer, 0x1234'505e) ==
        row("EPT_POINTER", "0x000000001234505e") +
            "tables at 0x12345000, 4 levels, write-back, accessed and dirty flags|");
  CHECK(printed(kGuestActivityState, 1) == row("GUEST_ACTIVITY_STATE", "0x00000001") + "HLT|");
  CHECK(printed(kGuestActivityState, ~0u) ==
        row("GUEST_ACTIVITY_STATE", "0xffffffff") + "reserved|");
  CHECK(printed(kInstructionError, 7) ==
        row("VM_INSTRUCTION_ERROR", "0x00000007") + "VM entry with invalid control field(s)|");
  CHECK(printed(kGuestCr0, 0x80000011) == row("GUEST_CR0", "0x0000000080000011") + "PE, ET, PG|");
}

TEST_CASE("all fields of a VMCS are printed, in sections and in short lines") {
  VmcsSnapshot vmcs;
  for (std::size_t i = 0; i < vmx::kFieldCount; ++i) {
    vmcs.set(
        i, ~std::uint64_t{0} >>
               (vmx::field_width(vmx::kFieldNames[i].encoding) == vmx::FieldWidth::k16 ? 48 : 32));
  }
  TextOutput text;
  print_vmcs(vmcs, text.out());
  for (const vmx::FieldName& field : vmx::kFieldNames) {
    CAPTURE(field.name);
    CHECK(text.has("\n  " + std::string(field.name) + " "));
  }
  for (std::size_t at = 0; at < text.text.size();) {
    const std::size_t end = text.text.find('\n', at);
    CHECK(end - at <= 100);
    CHECK(text.text[at] != '[');
    at = end + 1;
  }
  CHECK(text.text.find("GUEST_RIP") < text.text.find("host state:"));
  CHECK(text.text.find("host state:") < text.text.find("HOST_RIP"));
  CHECK(text.text.find("HOST_RIP") < text.text.find("  EXIT_QUALIFICATION"));
}

TEST_CASE("exits are told by level, and what became of those of L2") {
  const auto counters = std::make_unique<vmx::ExitCounters>();
  counters->l1[10] = {.total = 5, .reflected = 0};
  counters->l2[48] = {.total = 9, .reflected = 3};
  counters->l2[vmx::kExitReasonCount].total = 1;
  counters->nested_entries = 12;
  counters->nested_entry_failures = 2;
  TextOutput text;
  print_exits("nest", *counters, text.out());
  CHECK(text.has("vm nest\n"));
  CHECK(text.has("\n  L1 CPUID                                   5\n"));
  CHECK(text.has("\n  L2 EPT_VIOLATION                           9            3            6\n"));
  CHECK(text.has("\n  L2 UNKNOWN                                 1            0            1\n"));
  CHECK(text.has("\n  L2 all                                    10            3            7\n"));
  CHECK(text.has("nested entries 12, failed 2\n"));
  CHECK_FALSE(text.has("VMCALL"));
}

TEST_CASE("capabilities say what is missing, or what L1 gets of each control") {
  const vmx::Capabilities hardware = test::machine_capabilities();
  const vmx::Capabilities l1 = vmx::l1_capabilities(hardware);
  vmx::RequirementNames missing;
  TextOutput text;
  print_capabilities({.usable = true, .missing = missing, .hardware = hardware, .l1 = l1},
                     text.out());
  CHECK(text.has("enable EPT                               yes EPT02 composed"));
  CHECK(text.has("enable PML                               no  "));
  CHECK_FALSE(text.has("enable HLAT"));  // this CPU has none
  CHECK(text.has("MSR 0x480  CPU 0x"));
  REQUIRE(missing.push_back("enable EPT"));
  TextOutput none;
  print_capabilities({.usable = false, .missing = missing, .hardware = hardware, .l1 = l1},
                     none.out());
  CHECK(none.text == "VT-x cannot be used here\n  missing: enable EPT\n");
}

TEST_CASE("VMs, vCPUs and memory are one line each") {
  TextOutput text;
  print_vm(
      {.name = "debian", .state = "ended", .detail = "power-off", .memory = 512u << 20, .vcpus = 2},
      text.out());
  print_vcpu({.index = 1, .cpu = 0, .activity = "halted", .level = 2, .exits = 77}, text.out());
  print_frames({.total = 1024, .free = 256, .metadata = 4, .lowest_free = 128, .failures = 3},
               text.out());
  CHECK(text.has("debian           ended      512 MiB, 2 vCPUs; power-off\n"));
  CHECK(text.has("  vCPU 1 on CPU 0: halted, L2, 77 exits\n"));
  CHECK(text.has("in use                          768 frames        3 MiB\n"));
}
