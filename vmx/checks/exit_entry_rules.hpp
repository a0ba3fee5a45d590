#pragma once

#include "hv/arch/exception.hpp"
#include "vmx/checks/check_context.hpp"

namespace archelon::vmx::checks {

[[nodiscard]] constexpr auto msr_area_rule(RuleId id, std::string_view name, Field32 count,
                                           Field64 address) {
  return rule(id, name, looks_at(count, address),
              [count, address](const auto& c) { return c.msr_area(count, address); });
}
[[nodiscard]] constexpr auto msr_area_end_rule(RuleId id, std::string_view name, Field32 count,
                                               Field64 address) {
  return rule(id, name, looks_at(count, address),
              [count, address](const auto& c) { return c.msr_area_end(count, address); });
}

// SDM vol. 3C, "VM-Exit Control Fields" of "Checks on VMX Controls".
inline constexpr auto kExitControlRules = rules(
    CheckSection::kExitControls,
    rule(RuleId::kExitControls,
         "the primary VM-exit controls must be what IA32_VMX_(TRUE_)EXIT_CTLS allows", kExit,
         [](const auto& c) {
           return c.caps.control(ControlWord::kExit).allows(c.read(fields::kExitControls));
         }),
    rule(RuleId::kSecondaryExitControls,
         "the secondary VM-exit controls must be what IA32_VMX_EXIT_CTLS2 allows", kSecondaryExit,
         [](const auto& c) { return !c.secondary_exit(~c.caps[arch::msr::kVmxExitCtls2]); }),
    rule(RuleId::kSaveTimerNeedsTimer,
         "\"save VMX-preemption timer value\" must be 0 if \"activate VMX-preemption timer\" is 0",
         looks_at(kPin, kExit),
         [](const auto& c) {
           return c.pin(pin::kPreemptionTimer) || !c.exit(exit_controls::kSavePreemptionTimer);
         }),
    msr_area_rule(RuleId::kExitMsrStoreArea,
                  "the VM-exit MSR-store area must be 16-byte aligned and within the "
                  "physical-address width",
                  fields::kExitMsrStoreCount, fields::kExitMsrStoreAddress),
    msr_area_end_rule(RuleId::kExitMsrStoreAreaEnd,
                      "the VM-exit MSR-store area must end within the physical-address width",
                      fields::kExitMsrStoreCount, fields::kExitMsrStoreAddress),
    msr_area_rule(RuleId::kExitMsrLoadArea,
                  "the VM-exit MSR-load area must be 16-byte aligned and within the "
                  "physical-address width",
                  fields::kExitMsrLoadCount, fields::kExitMsrLoadAddress),
    msr_area_end_rule(RuleId::kExitMsrLoadAreaEnd,
                      "the VM-exit MSR-load area must end within the physical-address width",
                      fields::kExitMsrLoadCount, fields::kExitMsrLoadAddress));

// The event that the entry injects.
inline constexpr FieldSet kErrorCodeFields = looks_at(kEvent, kSecondary, fields::kGuestCr0);

template <class Context>
[[nodiscard]] bool injects_into_protected_mode(const Context& c) {
  return !c.unrestricted() || (c.read(fields::kGuestCr0) & arch::cr0::kPe) != 0;
}

// SDM vol. 3C, "VM-Entry Control Fields" of "Checks on VMX Controls".
inline constexpr auto kEntryControlRules = rules(
    CheckSection::kEntryControls,
    rule(RuleId::kEntryControls,
         "the VM-entry controls must be what IA32_VMX_(TRUE_)ENTRY_CTLS allows", kEntry,
         [](const auto& c) {
           return c.caps.control(ControlWord::kEntry).allows(c.read(fields::kEntryControls));
         }),
    rule(RuleId::kInjectedType,
         "the injected event's type must not be 1, and 7 only on a CPU with \"monitor trap flag\"",
         kEvent,
         [](const auto& c) {
           const bool other =
               c.caps.control(ControlWord::kPrimary).can_set(primary::kMonitorTrapFlag) || c.fred();
           return !c.injects(EventType::kReserved) && (other || !c.injects(EventType::kOther));
         }),
    rule(RuleId::kInjectedVector,
         "the injected event's vector must be 2 for an NMI, at most 31 for a hardware exception, 0 "
         "for a pending MTF exit",
         looks_at(kEvent, fields::kGuestCr4),
         [](const auto& c) {
           const unsigned vector = c.event().vector();
           if (c.injects(EventType::kNmi)) {
             return vector == static_cast<unsigned>(arch::Vector::kNmi);
           }
           if (c.injects(EventType::kHardwareException)) {
             return vector < arch::kExceptionCount;
           }
           // With FRED 1 and 2 are SYSCALL and SYSENTER.
           return !c.injects(EventType::kOther) || vector == 0 ||
                  (vector <= 2 && c.fred() && (c.read(fields::kGuestCr4) & kCr4Fred) != 0);
         }),
    rule(RuleId::kInjectedErrorCodeUnwanted,
         "only a hardware exception in protected mode may be injected with an error code",
         kErrorCodeFields,
         [](const auto& c) {
           return !c.event().valid() || !c.event().has_error_code() ||
                  (c.injects(EventType::kHardwareException) && injects_into_protected_mode(c));
         }),
    rule(RuleId::kInjectedErrorCodeByVector,
         "a hardware exception must be injected with an error code exactly if its vector has one",
         kErrorCodeFields,
         [](const auto& c) {
           const auto vector = static_cast<arch::Vector>(c.event().vector());
           // A CPU that knows #CP lets software choose; to the others 21 is any vector.
           const bool wanted = arch::has_error_code(vector) && vector != arch::Vector::kCp;
           return c.caps.has(arch::msr::kVmxBasic, basic::kAnyErrorCode) ||
                  !c.injects(EventType::kHardwareException) ||
                  c.event().has_error_code() == wanted || !injects_into_protected_mode(c);
         }),
    rule(RuleId::kInjectedReserved,
         "bits 30:12 of the injected event must be 0 (with FRED bit 13 may be 1 for a hardware "
         "exception)",
         kEvent,
         [](const auto& c) {
           const bool nested = c.fred() && c.injects(EventType::kHardwareException);
           const std::uint32_t reserved =
               InterruptionInfo::kEntryReserved & ~(nested ? std::uint32_t{1} << 13 : 0);
           return !c.event().valid() || (c.event().word & reserved) == 0;
         }),
    rule(RuleId::kInjectedErrorCodeReserved, "bits 31:16 of the injected error code must be 0",
         looks_at(kEvent, fields::kEntryExceptionErrorCode),
         [](const auto& c) {
           return !c.event().valid() || !c.event().has_error_code() ||
                  c.read(fields::kEntryExceptionErrorCode) <= 0xffff;
         }),
    rule(RuleId::kInjectedLength,
         "the instruction length of an injected software event must be at most 15",
         looks_at(kEvent, fields::kEntryInstructionLength),
         [](const auto& c) {
           return !c.event().valid() || !c.event().is_software() ||
                  c.read(fields::kEntryInstructionLength) <= 15;
         }),
    rule(RuleId::kInjectedLengthZero,
         "the instruction length of an injected software event must not be 0 on this CPU",
         looks_at(kEvent, fields::kEntryInstructionLength),
         [](const auto& c) {
           return !c.event().valid() || !c.event().is_software() ||
                  c.caps.has(arch::msr::kVmxMisc, misc::kInjectZeroLength) ||
                  c.read(fields::kEntryInstructionLength) != 0;
         }),
    msr_area_rule(RuleId::kEntryMsrLoadArea,
                  "the VM-entry MSR-load area must be 16-byte aligned and within the "
                  "physical-address width",
                  fields::kEntryMsrLoadCount, fields::kEntryMsrLoadAddress),
    msr_area_end_rule(RuleId::kEntryMsrLoadAreaEnd,
                      "the VM-entry MSR-load area must end within the physical-address width",
                      fields::kEntryMsrLoadCount, fields::kEntryMsrLoadAddress),
    rule(RuleId::kEntryToSmmOutsideSmm, "\"entry to SMM\" must be 0 outside SMM", kEntry,
         [](const auto& c) { return c.env.in_smm || !c.entry(entry_controls::kEntryToSmm); }),
    rule(RuleId::kDeactivateOutsideSmm,
         "\"deactivate dual-monitor treatment\" must be 0 outside SMM", kEntry,
         [](const auto& c) {
           return c.env.in_smm || !c.entry(entry_controls::kDeactivateDualMonitor);
         }),
    rule(RuleId::kEntryToSmmAndDeactivate,
         "\"entry to SMM\" and \"deactivate dual-monitor treatment\" must not both be 1", kEntry,
         [](const auto& c) {
           return !c.entry(entry_controls::kEntryToSmm) ||
                  !c.entry(entry_controls::kDeactivateDualMonitor);
         }));

}  // namespace archelon::vmx::checks
