#include "hv/shell/field_decode.hpp"

#include <optional>
#include <span>
#include <string_view>

#include "hv/arch/cr.hpp"
#include "hv/arch/exception.hpp"
#include "hv/arch/segment.hpp"
#include "mmu/ept_entry.hpp"
#include "vmx/controls.hpp"
#include "vmx/exit_reason.hpp"
#include "vmx/fields.hpp"
#include "vmx/instruction_error.hpp"
#include "vmx/interruption.hpp"

namespace archelon::shell {
namespace {

namespace fields = vmx::fields;

using NamedBit = vmx::ControlBit;

constexpr NamedBit kCr0Bits[] = {
    {arch::cr0::kPe, "PE"}, {arch::cr0::kMp, "MP"}, {arch::cr0::kEm, "EM"}, {arch::cr0::kTs, "TS"},
    {arch::cr0::kEt, "ET"}, {arch::cr0::kNe, "NE"}, {arch::cr0::kWp, "WP"}, {arch::cr0::kAm, "AM"},
    {arch::cr0::kNw, "NW"}, {arch::cr0::kCd, "CD"}, {arch::cr0::kPg, "PG"}};

constexpr NamedBit kCr4Bits[] = {{arch::cr4::kVme, "VME"},
                                 {arch::cr4::kPvi, "PVI"},
                                 {arch::cr4::kTsd, "TSD"},
                                 {arch::cr4::kDe, "DE"},
                                 {arch::cr4::kPse, "PSE"},
                                 {arch::cr4::kPae, "PAE"},
                                 {arch::cr4::kMce, "MCE"},
                                 {arch::cr4::kPge, "PGE"},
                                 {arch::cr4::kPce, "PCE"},
                                 {arch::cr4::kOsfxsr, "OSFXSR"},
                                 {arch::cr4::kOsxmmexcpt, "OSXMMEXCPT"},
                                 {arch::cr4::kUmip, "UMIP"},
                                 {arch::cr4::kLa57, "LA57"},
                                 {arch::cr4::kVmxe, "VMXE"},
                                 {arch::cr4::kSmxe, "SMXE"},
                                 {arch::cr4::kFsgsbase, "FSGSBASE"},
                                 {arch::cr4::kPcide, "PCIDE"},
                                 {arch::cr4::kOsxsave, "OSXSAVE"},
                                 {arch::cr4::kKl, "KL"},
                                 {arch::cr4::kSmep, "SMEP"},
                                 {arch::cr4::kSmap, "SMAP"},
                                 {arch::cr4::kPke, "PKE"},
                                 {arch::cr4::kCet, "CET"},
                                 {arch::cr4::kPks, "PKS"},
                                 {arch::cr4::kUintr, "UINTR"},
                                 {arch::cr4::kLamSup, "LAM_SUP"}};

constexpr NamedBit kEferBits[] = {{arch::efer::kSce, "SCE"},
                                  {arch::efer::kLme, "LME"},
                                  {arch::efer::kLma, "LMA"},
                                  {arch::efer::kNxe, "NXE"}};

constexpr NamedBit kRflagsBits[] = {
    {arch::rflags::kCf, "CF"}, {arch::rflags::kPf, "PF"},   {arch::rflags::kAf, "AF"},
    {arch::rflags::kZf, "ZF"}, {arch::rflags::kSf, "SF"},   {arch::rflags::kTf, "TF"},
    {arch::rflags::kIf, "IF"}, {arch::rflags::kDf, "DF"},   {arch::rflags::kOf, "OF"},
    {arch::rflags::kNt, "NT"}, {arch::rflags::kRf, "RF"},   {arch::rflags::kVm, "VM"},
    {arch::rflags::kAc, "AC"}, {arch::rflags::kVif, "VIF"}, {arch::rflags::kVip, "VIP"},
    {arch::rflags::kId, "ID"}};

constexpr NamedBit kInterruptibilityBits[] = {
    {vmx::interruptibility::kBlockingBySti, "blocking by STI"},
    {vmx::interruptibility::kBlockingByMovSs, "blocking by MOV SS"},
    {vmx::interruptibility::kBlockingBySmi, "blocking by SMI"},
    {vmx::interruptibility::kBlockingByNmi, "blocking by NMI"},
    {vmx::interruptibility::kEnclaveInterruption, "enclave interruption"}};

constexpr NamedBit kPendingDebugBits[] = {
    {vmx::pending_debug::kBusLock, "bus lock"},
    {vmx::pending_debug::kEnabledBreakpoint, "enabled breakpoint"},
    {vmx::pending_debug::kBs, "single step"},
    {vmx::pending_debug::kRtm, "RTM"}};

constexpr NamedBit kExitReasonBits[] = {{vmx::ExitReason::kEnclave, "from an enclave"},
                                        {vmx::ExitReason::kPendingMtf, "pending MTF exit"},
                                        {vmx::ExitReason::kFromRoot, "from VMX root operation"},
                                        {vmx::ExitReason::kEntryFailure, "the VM entry failed"}};

// The bits that are set, by name, and what has no name as a number.
void bits(std::uint64_t value, std::span<const NamedBit> names, WordList& words) {
  for (const NamedBit& named : names) {
    if ((value & named.mask) != 0) {
      words.add("{}", named.name);
      value &= ~named.mask;
    }
  }
  if (value != 0) {
    words.add("other bits {:#x}", value);
  }
}

void exception_bitmap(std::uint64_t value, WordList& words) {
  for (unsigned vector = 0; vector < arch::kExceptionCount; ++vector) {
    if ((value & bit(vector)) != 0) {
      const std::string_view name = arch::name(static_cast<arch::Vector>(vector));
      name == "?" ? words.add("{}", vector) : words.add("{}", name);
    }
  }
}

void interruption(std::uint64_t value, WordList& words) {
  const vmx::InterruptionInfo info{static_cast<std::uint32_t>(value)};
  if (!info.valid()) {
    return;
  }
  constexpr std::string_view kTypes[] = {
      "external interrupt", "reserved type",      "NMI",
      "hardware exception", "software interrupt", "privileged software exception",
      "software exception", "other event"};
  words.add("{}", kTypes[static_cast<unsigned>(info.type())]);
  const bool is_exception = info.type() == vmx::EventType::kHardwareException ||
                            info.type() == vmx::EventType::kSoftwareException;
  if (is_exception && info.vector() < arch::kExceptionCount) {
    words.add("vector {} ({})", info.vector(),
              arch::name(static_cast<arch::Vector>(info.vector())));
  } else {
    words.add("vector {}", info.vector());
  }
  if (info.has_error_code()) {
    words.add("with error code");
  }
  if ((info.word & vmx::InterruptionInfo::kNmiUnblockedByIret) != 0) {
    words.add("NMI unblocked by IRET");
  }
}

void access_rights(std::uint64_t value, WordList& words) {
  const auto rights = static_cast<std::uint32_t>(value);
  if ((rights & arch::ar::kUnusable) != 0) {
    words.add("unusable");
    return;
  }
  words.add("{} type {}", (rights & arch::ar::kS) != 0 ? "code or data" : "system",
            rights & arch::ar::kType);
  words.add("DPL {}", arch::ar::dpl(rights));
  words.add("{}", (rights & arch::ar::kPresent) != 0 ? "present" : "not present");
  if ((rights & arch::ar::kLong) != 0) {
    words.add("64-bit");
  } else {
    words.add("{}", (rights & arch::ar::kDefaultBig) != 0 ? "32-bit" : "16-bit");
  }
  words.add("{}", (rights & arch::ar::kGranularity) != 0 ? "limit in pages" : "limit in bytes");
}

void ept_pointer(std::uint64_t value, WordList& words) {
  words.add("tables at {:#x}", value & mmu::ept::kAddress);
  words.add("{} levels", ((value & mmu::ept::kPointerWalk) >> 3) + 1);
  const std::uint64_t type = value & mmu::ept::kPointerType;
  if (type == 6 || type == 0) {
    words.add("{}", type == 6 ? "write-back" : "uncached");
  } else {
    words.add("memory type {}", type);
  }
  if ((value & mmu::ept::kPointerAccessedDirty) != 0) {
    words.add("accessed and dirty flags");
  }
}

void activity(std::uint64_t value, WordList& words) {
  constexpr std::string_view kStates[] = {"active", "HLT", "shutdown", "wait-for-SIPI"};
  words.add("{}", value < std::size(kStates) ? kStates[value] : "reserved");
}

void exit_reason(std::uint64_t value, WordList& words) {
  const auto word = static_cast<std::uint32_t>(value);
  words.add("{}", vmx::exit_reason_name(word & 0xffff));
  bits(word & ~std::uint32_t{0xffff}, kExitReasonBits, words);
}

std::optional<vmx::ControlWord> control_word(std::uint32_t encoding) {
  using vmx::ControlWord;
  switch (encoding) {
    case fields::kPinControls.encoding:
      return ControlWord::kPin;
    case fields::kPrimaryProcControls.encoding:
      return ControlWord::kPrimary;
    case fields::kSecondaryProcControls.encoding:
      return ControlWord::kSecondary;
    case fields::kTertiaryProcControls.encoding:
      return ControlWord::kTertiary;
    case fields::kExitControls.encoding:
      return ControlWord::kExit;
    case fields::kEntryControls.encoding:
      return ControlWord::kEntry;
    default:
      return std::nullopt;
  }
}

std::span<const NamedBit> named_bits(std::uint32_t encoding) {
  if (const auto word = control_word(encoding)) {
    return vmx::control_bits(*word);
  }
  switch (encoding) {
    case fields::kGuestCr0.encoding:
    case fields::kHostCr0.encoding:
    case fields::kCr0GuestHostMask.encoding:
    case fields::kCr0ReadShadow.encoding:
      return kCr0Bits;
    case fields::kGuestCr4.encoding:
    case fields::kHostCr4.encoding:
    case fields::kCr4GuestHostMask.encoding:
    case fields::kCr4ReadShadow.encoding:
      return kCr4Bits;
    case fields::kGuestEfer.encoding:
    case fields::kHostEfer.encoding:
      return kEferBits;
    case fields::kGuestRflags.encoding:
      return kRflagsBits;
    case fields::kGuestInterruptibilityState.encoding:
      return kInterruptibilityBits;
    case fields::kGuestPendingDebugExceptions.encoding:
      return kPendingDebugBits;
    default:
      return {};
  }
}

}  // namespace

void decode_field(std::uint32_t encoding, std::uint64_t value, WordList& words) {
  if (encoding >= fields::kGuestEsAccessRights.encoding &&
      encoding <= fields::kGuestTrAccessRights.encoding) {
    access_rights(value, words);
    return;
  }
  switch (encoding) {
    case fields::kExceptionBitmap.encoding:
      exception_bitmap(value, words);
      return;
    case fields::kEntryInterruptionInfo.encoding:
    case fields::kExitInterruptionInfo.encoding:
    case fields::kIdtVectoringInfo.encoding:
      interruption(value, words);
      return;
    case fields::kEptPointer.encoding:
      ept_pointer(value, words);
      return;
    case fields::kGuestActivityState.encoding:
      activity(value, words);
      return;
    case fields::kExitReason.encoding:
      exit_reason(value, words);
      return;
    case fields::kInstructionError.encoding:
      if (value != 0) {
        words.add("{}", vmx::instruction_error_text(static_cast<std::uint32_t>(value)));
      }
      return;
    default:
      if (const auto names = named_bits(encoding); !names.empty()) {
        bits(value, names, words);
      }
  }
}

}  // namespace archelon::shell
