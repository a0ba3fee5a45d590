// The local APIC, as x2APIC where the CPU has it and the guest asks for it, else by its page.
#pragma once

#include <cstdint>

namespace guest::apic {

inline constexpr std::uint32_t kId = 0x020;
inline constexpr std::uint32_t kVersion = 0x030;
inline constexpr std::uint32_t kTpr = 0x080;
inline constexpr std::uint32_t kEoi = 0x0b0;
inline constexpr std::uint32_t kSpurious = 0x0f0;
inline constexpr std::uint32_t kEsr = 0x280;
inline constexpr std::uint32_t kIcrLow = 0x300;
inline constexpr std::uint32_t kIcrHigh = 0x310;
inline constexpr std::uint32_t kTimer = 0x320;
inline constexpr std::uint32_t kLint0 = 0x350;
inline constexpr std::uint32_t kTimerInitial = 0x380;
inline constexpr std::uint32_t kTimerCurrent = 0x390;
inline constexpr std::uint32_t kTimerDivide = 0x3e0;

inline constexpr std::uint32_t kTimerPeriodic = 1U << 17;
inline constexpr std::uint32_t kTimerTscDeadline = 2U << 17;
inline constexpr std::uint32_t kMasked = 1U << 16;

inline constexpr std::uint8_t kSpuriousVector = 0xff;

bool has_x2apic();
// Enables this CPU's LAPIC by software.
void enable(bool x2apic);
bool in_x2apic_mode();

std::uint32_t read(std::uint32_t offset);
void write(std::uint32_t offset, std::uint32_t value);
std::uint32_t id();
void send(std::uint32_t destination, std::uint32_t command);
void send_to_self(std::uint8_t vector);
void end_of_interrupt();

}  // namespace guest::apic
