#pragma once

#include <cstdint>

#include "vmx/controls.hpp"

namespace archelon::vmx {

// The controls that L0 runs L1 with: what it must have and what it takes when the CPU offers it.
// Clamping them to the capability MSRs is the caller's (capabilities.hpp).
struct ControlRequest {
  std::uint32_t must = 0;
  std::uint32_t want = 0;
};

inline constexpr ControlRequest kL0Pin{
    .must = pin::kExternalInterruptExiting | pin::kNmiExiting,
    // The timer takes the CPU back from a guest that keeps interrupts disabled; virtual NMIs let
    // L0 know when a guest can take one.
    .want = pin::kPreemptionTimer | pin::kVirtualNmis};

inline constexpr ControlRequest kL0Primary{
    // No interrupt, port, MSR or idle state of the machine is a guest's own. MONITOR, MWAIT and
    // RDPMC are not in L1's CPUID and would reach the machine.
    .must = primary::kHltExiting | primary::kUnconditionalIoExiting | primary::kMsrBitmaps |
            primary::kTscOffsetting | primary::kActivateSecondary | primary::kMwaitExiting |
            primary::kMonitorExiting | primary::kRdpmcExiting | primary::kCr8LoadExiting |
            primary::kCr8StoreExiting,
    .want = 0};

inline constexpr ControlRequest kL0Secondary{
    .must = secondary::kEnableEpt | secondary::kUnrestrictedGuest,
    .want = secondary::kEnableVpid | secondary::kEnableRdtscp | secondary::kEnableInvpcid |
            secondary::kEnableXsaves};

inline constexpr ControlRequest kL0Exit{
    .must = exit_controls::kHostAddressSpaceSize | exit_controls::kAckInterruptOnExit |
            exit_controls::kSaveEfer | exit_controls::kLoadEfer | exit_controls::kSavePat |
            exit_controls::kLoadPat | exit_controls::kSaveDebugControls,
    .want = 0};

inline constexpr ControlRequest kL0Entry{
    .must = entry_controls::kLoadEfer | entry_controls::kLoadPat |
            entry_controls::kLoadDebugControls,
    .want = 0};

// Exceptions that L0 takes from every guest: each can otherwise be delivered for ever without an
// instruction or an interrupt in between. No page faults: which of them exit is for L1 to choose.
inline constexpr std::uint32_t kL0ExceptionBitmap = (1u << 1) | (1u << 17);  // #DB, #AC
static_assert((kL0ExceptionBitmap & (1u << 14)) == 0);

}  // namespace archelon::vmx
