#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/arch/exception.hpp"
#include "hv/vcpu.hpp"
#include "vmx/exit.hpp"

// The nested engine's face to the run loop: what happens to a vCPU because its L1 uses VMX. All of
// it runs on the vCPU's own CPU. docs/design.md, "The path of one L2 exit".
namespace archelon::hv::nested {

// Gives the vCPU its nested state; false when there is no memory.
[[nodiscard]] bool make_engine(Vcpu& vcpu);
// The vCPU ends or is reset: L2 and VMX operation are gone, VMCS12s are dropped.
void leave(Vcpu& vcpu);
// The VM starts over, and none of its vCPUs runs: what is composed of its L1's tables goes.
void forget_l2s(Vm& vm);

[[nodiscard]] bool running_l2(const Vcpu& vcpu);

// A VMX instruction of L1 (or of L2, where it was not reflected: #UD).
void vmx_instruction(Vcpu& vcpu, const vmx::Exit& exit);

// An exit of L2 that is not the machine's own: reflected to L1 (true) or handled by L0.
bool l2_exit(Vcpu& vcpu, const vmx::Exit& exit);

// Before each VM entry: what VMCS02 needs that changes from entry to entry.
void before_entry(Vcpu& vcpu);
// VMLAUNCH or VMRESUME of VMCS02 failed in the hardware: L1 gets the verdict. False where L1 ran.
[[nodiscard]] bool entry_refused(Vcpu& vcpu);
[[nodiscard]] bool entry_failed(Vcpu& vcpu, const vmx::Exit& exit);
// L2 has been entered successfully since L1's VMLAUNCH or VMRESUME.
void entry_succeeded(Vcpu& vcpu);

// The preemption timer ended a run: true where the exit is L1's to see (it was reflected).
bool preemption_timer(Vcpu& vcpu);
// The time of the preemption timer that L1 gave a halted L2 has come; until then this CPU's own
// timer is set to look again.
[[nodiscard]] bool timer_due(Vcpu& vcpu);
// A window L0 had asked for opened: closes it. False where it is L1's window.
bool close_window(Vcpu& vcpu, vmx::BasicExitReason window);

// With L2 running: L1's own interrupt, NMI, INIT that ends L2's run now, if L1 asked for that.
void deliver_to_l1(Vcpu& vcpu);
// An event that VMCS12 injects is on its way into L2 with the next entry.
[[nodiscard]] bool entry_event_pending(const Vcpu& vcpu);

// An exception L0 makes for the running guest: true where that is an L2 and L1 intercepts it.
bool reflect_exception(Vcpu& vcpu, const arch::Exception& exception);
bool reflect_triple_fault(Vcpu& vcpu);

// Carries out shadow-EPT flushes that other vCPUs of the VM caused, and takes work::kShadowFlush.
void catch_up_flushes(Vcpu& vcpu);

// INIT and SIPI to the vCPU, whatever mode it is in.
void init_signal(Vcpu& vcpu);
void startup_signal(Vcpu& vcpu);

// With L2 halted: something for L1 or L2 makes the vCPU run again.
[[nodiscard]] bool wakes(Vcpu& vcpu);

// Values of CR0 and CR4 that VMX operation forbids to the running guest. SDM vol. 3C, "Restrictions
// on VMX Operation".
[[nodiscard]] bool allows_cr0(const Vcpu& vcpu, std::uint64_t value);
[[nodiscard]] bool allows_cr4(const Vcpu& vcpu, std::uint64_t value);

// Bits of CR0 and CR4 that the L1 of a running L2 masks; none where L1 runs.
[[nodiscard]] std::uint64_t cr0_masked_by_l1(const Vcpu& vcpu);
[[nodiscard]] std::uint64_t cr4_masked_by_l1(const Vcpu& vcpu);

// Physical memory of the running guest: L1's, or L2's through EPT12.
[[nodiscard]] bool read_guest_physical(Vcpu& vcpu, std::uint64_t address, std::span<std::byte> out);

}  // namespace archelon::hv::nested
