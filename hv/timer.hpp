#pragma once

#include <cstdint>

namespace archelon::hv {

// This CPU's one timer interrupt (local APIC), which ends waits and time slices.

// Makes sure that this CPU gets a timer interrupt at `deadline_ns` (nanoseconds since boot) or
// earlier. ~0 means never and changes nothing.
void wake_by(std::uint64_t deadline_ns);

// The timer interrupt came, or its time has passed: nothing is armed any more.
void timer_fired();

}  // namespace archelon::hv
