#pragma once

namespace archelon::hv {

class Vcpu;

// Enters the guest and handles the exit. True where the exit was the machine's business rather than
// the guest's (an interrupt, an NMI, the preemption timer): devices may have something to do.
bool enter_and_handle(Vcpu& vcpu);

}  // namespace archelon::hv
