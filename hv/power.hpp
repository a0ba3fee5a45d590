#pragma once

namespace archelon::hv {

// What the configuration wants when the last VM has ended: the shell, power-off or a reboot.
void all_vms_ended();

// The machine off, or started over; with a line where it cannot be, and then it halts.
[[noreturn]] void power_off_machine();
[[noreturn]] void reboot_machine();

}  // namespace archelon::hv
