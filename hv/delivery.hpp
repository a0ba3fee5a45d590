#pragma once

namespace archelon::hv {

class Vcpu;

// Last step before a VM entry: writes the pending event into the VMCS, or the NMI or interrupt that
// the guest can take now, or asks for an exit when it can. For an L2 this may end in an exit to L1,
// after which L1 is the one that enters. SDM vol. 3C, "Event Injection", "Interruptibility".
void deliver_events(Vcpu& vcpu);

}  // namespace archelon::hv
