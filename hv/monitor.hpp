#pragma once

namespace archelon::hv {

// The boot CPU's turn at the consoles: takes what was typed and gives it to the shell or to a VM.
// Nothing on other CPUs.
void poll_monitor();

}  // namespace archelon::hv
