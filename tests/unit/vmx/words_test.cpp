#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "vmx/controls.hpp"
#include "vmx/exit_reason.hpp"
#include "vmx/fields.hpp"
#include "vmx/instruction_error.hpp"
#include "vmx/interruption.hpp"
#include "vmx/qualification.hpp"
#include "vmx/vmcs_view.hpp"

using namespace archelon;
using namespace archelon::vmx;

TEST_CASE("field encodings tell width, type, index and access") {
  CHECK(fields::kGuestRip.encoding == 0x681eu);
  CHECK(field_width(0x681e) == FieldWidth::kNatural);
  CHECK(field_type(0x681e) == FieldType::kGuestState);
  CHECK(field_index(0x681e) == 15u);
  CHECK(field_width(fields::kEptPointer.encoding) == FieldWidth::k64);
  CHECK(field_type(fields::kExitReason.encoding) == FieldType::kReadOnly);
  CHECK(field_type(fields::kHostTrSelector.encoding) == FieldType::kHostState);
  CHECK(is_high_access(0x201b));
  CHECK_FALSE(is_well_formed(0x681f));  // high access to a natural-width field
  CHECK_FALSE(is_well_formed(0x1000));  // reserved bit 12
  CHECK_FALSE(is_well_formed(0x8000));
  CHECK_FALSE(is_well_formed(0x1'0000));
}

TEST_CASE("every field is found by encoding and by name, nothing else is") {
  std::set<std::string> names;
  std::size_t found = 0;
  for (std::uint32_t encoding = 0; encoding < 0x10000; ++encoding) {
    if (const auto position = field_position(encoding)) {
      ++found;
      CHECK(kFieldNames[*position].encoding == (encoding & ~1u));
      CHECK(field_by_name(field_name(encoding)) == (encoding & ~1u));
      names.emplace(field_name(encoding));
    }
  }
  std::size_t wide = 0;
  for (const FieldName& field : kFieldNames) {
    wide += field_width(field.encoding) == FieldWidth::k64 ? 1u : 0u;
  }
  CHECK(names.size() == kFieldCount);
  CHECK(found == kFieldCount + wide);
  CHECK(field_name(0x201b) == "EPT_POINTER");
  CHECK(field_name(0xffffffff) == "?");
  CHECK(field_by_name("guest_rip") == 0x681eu);
  CHECK_FALSE(field_by_name("GUEST_RI").has_value());
  CHECK_FALSE(field_position(0x0880).has_value());  // index 64 is not index 0
}

TEST_CASE("control bits have the SDM's places and names") {
  CHECK(pin::kPreemptionTimer == 0x40u);
  CHECK(primary::kActivateSecondary == 0x80000000u);
  CHECK(secondary::kUnrestrictedGuest == 0x80u);
  CHECK(exit_controls::kHostAddressSpaceSize == 0x200u);
  CHECK(entry_controls::kLoadEfer == 0x8000u);
  CHECK(control_name(ControlWord::kSecondary, 0x102) == "enable EPT");
  CHECK(control_name(ControlWord::kPin, 0x2) == "reserved");
  CHECK(control_name(ControlWord::kTertiary, bit(40)) == "reserved");
  for (unsigned word = 0; word < kControlWordCount; ++word) {
    std::uint64_t seen = 0;
    for (const ControlBit& control : control_bits(static_cast<ControlWord>(word))) {
      CHECK(control.mask > seen);  // ascending, so none twice
      seen |= control.mask;
    }
  }
}

TEST_CASE("exit reasons have names inside the table only") {
  CHECK(exit_reason_name(BasicExitReason::kEptViolation) == "EPT_VIOLATION");
  CHECK(exit_reason_name(35) == "UNKNOWN");
  CHECK(exit_reason_name(79) == "WRMSRLIST");
  CHECK(exit_reason_name(80) == "UNKNOWN");
  CHECK(exit_reason_name(0xffffffff) == "UNKNOWN");
  const auto failed = ExitReason::failed_entry(BasicExitReason::kEntryFailureGuestState);
  CHECK(failed.word == 0x80000021u);
  CHECK(failed.entry_failed());
  CHECK(failed.basic() == BasicExitReason::kEntryFailureGuestState);
  CHECK(instruction_error_text(12).find("unsupported") != std::string_view::npos);
  CHECK(instruction_error_text(14) == "unknown error");
}

TEST_CASE("interruption information") {
  const auto gp = InterruptionInfo::exception(arch::Vector::kGp);
  CHECK(gp.word == 0x80000b0du);
  CHECK(gp.is_exception(arch::Vector::kGp));
  CHECK_FALSE(InterruptionInfo{0x0b0d}.is_exception(arch::Vector::kGp));
  CHECK(InterruptionInfo{0x80001b0d}.for_entry() == gp);
  CHECK(InterruptionInfo::make(EventType::kSoftwareException, 3).is_software());
  CHECK_FALSE(InterruptionInfo::make(EventType::kNmi, 2).is_software());
  CHECK(InterruptionInfo::make(EventType::kExternalInterrupt, 0x31).word == 0x80000031u);
}

TEST_CASE("exit qualifications go round") {
  const auto mov = CrAccess::decode(0x0914);
  CHECK(mov == CrAccess{.cr = 4,
                        .kind = CrAccess::Kind::kMovFromCr,
                        .lmsw_memory_operand = false,
                        .gpr = arch::Gpr::kR9,
                        .lmsw_source = 0});
  CHECK(mov.encode() == 0x0914u);
  CHECK(CrAccess::decode(0x12340070).lmsw_source == 0x1234);
  CHECK(CrAccess::decode(0x12340070).encode() == 0x12340070u);

  const auto io = IoAccess::decode(0x03f80049);
  CHECK(
      io ==
      IoAccess{
          .size = 2, .in = true, .string = false, .rep = false, .immediate = true, .port = 0x3f8});
  CHECK(io.encode() == 0x03f80049u);
  CHECK(DrAccess::decode(0x0317).encode() == 0x0317u);

  CHECK(EptViolation{0x83}.in_guest_walk());
  CHECK_FALSE(EptViolation{0x183}.in_guest_walk());
  CHECK_FALSE(EptViolation{0x003}.in_guest_walk());  // no linear address at all
  CHECK(EptViolation{0x181}.not_present());
  CHECK_FALSE(EptViolation{0x1a1}.not_present());
}
