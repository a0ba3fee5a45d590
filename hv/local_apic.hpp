#pragma once

#include <cstdint>

// L0's use of the local APICs: one timer interrupt per CPU, and IPIs that make another CPU look.
namespace archelon::hv {

// On the boot CPU, after the platform is known: chooses how deadlines reach the timer.
void init_timer_hardware();

// On each CPU, once its APIC is enabled.
void init_this_cpu_timer();

// One timer interrupt when this CPU's TSC reaches `tsc`; at once where it has.
void arm_timer(std::uint64_t tsc);

}  // namespace archelon::hv
