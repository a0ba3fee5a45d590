#pragma once

#include <cstdint>

namespace archelon::hw {

// Vectors of L0's own local-APIC interrupts. Everything else above 31 is unclaimed until a handler
// is set for it.
inline constexpr std::uint8_t kTimerVector = 0xf0;
inline constexpr std::uint8_t kKickVector = 0xf1;  // wakes a CPU or makes it leave its guest
inline constexpr std::uint8_t kApicErrorVector = 0xfe;
inline constexpr std::uint8_t kSpuriousVector = 0xff;  // the APIC neither holds nor expects an EOI
// The 8259s are masked; what they still raise (spurious IRQ 7 and 15) lands here and is dropped.
inline constexpr std::uint8_t kPicBase = 0x20;

// Runs with interrupts disabled, on the interrupted CPU, before the EOI.
using InterruptHandler = void (*)(std::uint8_t vector);

// Sets the handler of `vector` (32..255), or none with nullptr. For all CPUs.
void set_interrupt_handler(std::uint8_t vector, InterruptHandler handler);

// Runs the handler of `vector` and acknowledges it to the local APIC. The IDT calls it, and so does
// the VM-exit path when the exit acknowledged the interrupt. An unclaimed vector is counted.
void handle_interrupt(std::uint8_t vector);

[[nodiscard]] std::uint64_t unclaimed_interrupts();

// How handle_interrupt() acknowledges: the local APIC's EOI, once it is known.
using InterruptAcknowledge = void (*)();
void set_interrupt_acknowledge(InterruptAcknowledge acknowledge);

}  // namespace archelon::hw
