#pragma once

#include <cstdint>

namespace archelon::hv {

class Vcpu;

// Runs the vCPUs that are pinned to this CPU, in turn, for ever; on the boot CPU also the shell.
// Interrupts are disabled in L0 but for the wait of an idle CPU.
[[noreturn]] void run_cpu();

// Makes a vCPU known to the CPU it is pinned to. Callable from any CPU.
void schedule(Vcpu& vcpu);
// Takes it out again. On its own CPU.
void unschedule(Vcpu& vcpu);

}  // namespace archelon::hv
