// What the guests about events have in common: L2's small programs, each ending by VMCALL, are
// started from a clean state, events are injected, and each exit is printed with all that it says
// of events.
#pragma once

#include <cstdint>

#include "vmx/vcpu.hpp"

namespace guest::vmx {

namespace event {
inline constexpr std::uint32_t kValid = 1U << 31;
inline constexpr std::uint32_t kErrorCode = 1U << 11;
inline constexpr std::uint32_t kNmi = 2 << 8;
inline constexpr std::uint32_t kException = 3 << 8;
inline constexpr std::uint32_t kSoftwareInterrupt = 4 << 8;
inline constexpr std::uint32_t kPrivileged = 5 << 8;
inline constexpr std::uint32_t kSoftwareException = 6 << 8;
}  // namespace event

inline constexpr std::uint64_t kIf = 0x200;

// VMXON, an IDT whose every vector prints a line, and a VMCS. L1 and L2 have that IDT in common.
void start_events(Vcpu& vcpu);
// L2's next program; the handler of a fault skips so many bytes.
void start(Vcpu& vcpu, void (*code)(), std::uint64_t rflags = 2, std::uint64_t skip = 0);
void inject(std::uint32_t information, std::uint32_t error = 0, std::uint32_t length = 0);
// Injects again what the last exit cut short.
void inject_vectoring();
Exit resume(Vcpu& vcpu, const char* name);

}  // namespace guest::vmx
