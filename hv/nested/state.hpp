#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>

#include "hv/nested/shadow.hpp"
#include "hv/vcpu.hpp"
#include "mmu/nested_memory.hpp"
#include "vmx/exit.hpp"
#include "vmx/field_groups.hpp"
#include "vmx/instruction_error.hpp"
#include "vmx/merge.hpp"
#include "vmx/nested_state.hpp"
#include "vmx/outcome.hpp"
#include "vmx/qualification.hpp"
#include "vmx/reflect.hpp"
#include "vmx/vmcs12_cache.hpp"

// The nested state of one vCPU, for the files of this folder.
namespace archelon::hv::nested {

// VMCSs that a vCPU's L1 can switch between without their leaving L0's own state.
inline constexpr std::size_t kSlots = 8;

// A guest whose entries go on failing must not fill the log.
inline constexpr std::uint64_t kLoggedFailures = 256;

// Guest-state fields that mean the same in VMCS12 and VMCS02.
inline constexpr vmx::FieldSet kCopied = [] {
  using namespace vmx;
  FieldSet copied = fields_of(FieldGroup::kGuestSegments);
  copied |= fields_of(FieldGroup::kGuestHot);
  copied.remove(position_of(fields::kGuestActivityState));  // a halted L2 is L0's to schedule
  copied.add(position_of(fields::kGuestCr3));
  for (std::uint32_t i = 0; i < 4; ++i) {
    copied.add(position_of(fields::kGuestPdpte0.at(i)));
  }
  copied.add(position_of(fields::kGuestSysenterCs));
  copied.add(position_of(fields::kGuestSysenterEsp));
  copied.add(position_of(fields::kGuestSysenterEip));
  return copied;
}();

// The CPU's VMCS for one VMCS12, and what was last put into it.
struct Vmcs02 {
  vmx::native::Vmcs vmcs;
  bool ready = false;  // host state and L0's constants are in it
  Hpa msr_bitmap;
  vmx::MergedControls merged;
  std::uint64_t tsc_offset01 = 0;  // of L1, when they were merged
  // The fields that L1 reads after exits, found out from its own VMREADs: fetched at each exit.
  vmx::FieldSet wanted;
  std::optional<Shadow::RootId> root;  // held in the VM's shadow EPT
  std::uint64_t eptp02 = 0;            // of that root
  std::uint64_t eptp_set = 0;          // the EPT-pointer field
  std::uint32_t timer = 0;             // the preemption-timer field
};

class Engine {
 public:
  vmx::NestedState state;
  vmx::Vmcs12Cache<kSlots> cache;
  std::array<Vmcs02, kSlots> vmcs02s;

  // While L2 runs (state.mode is kNonRoot).
  vmx::Vmcs12* vmcs12 = nullptr;
  Vmcs02* vmcs02 = nullptr;
  Vmcs02* root_holder = nullptr;  // the slot that holds a root of the shadow EPT, if one does
  // VMCS12's injection is in VMCS02 and has not been delivered by a successful entry.
  bool injecting = false;
  // The hardware has entered L2 since L1's VMLAUNCH or VMRESUME.
  bool entered = false;
  // L1's event must end L2's run right after the injection that has priority.
  bool exit_at_once = false;
  // TSC of the machine at which L1's preemption timer reaches zero.
  std::optional<std::uint64_t> timer_end;
  std::uint16_t last_vpid12 = 0;
  // Of L1's VMLAUNCH or VMRESUME, should the hardware refuse VMCS02.
  std::uint32_t entry_instruction_length = 0;
  // Stands in for pages of L1 that VMCS12 names but that are not RAM.
  Hpa scratch;
  // Shadow-EPT flushes that this vCPU's CPU has carried out, and whether it owes any.
  std::atomic<std::uint64_t> shadow_epoch = 0;
  std::atomic<bool> uses_shadow = false;
  bool init_blocked = false;

  [[nodiscard]] Vmcs02& vmcs02_of(const vmx::Vmcs12& vmcs12) {
    return vmcs02s[cache.slot_of(vmcs12)];
  }
};

// What an entry attempt of L1 came to before the hardware was asked.
struct EntryAttempt {
  enum class Kind : std::uint8_t { kEntered, kFailValid, kFailedEntry } kind = Kind::kEntered;
  vmx::InstructionError error = vmx::InstructionError::kNone;
  vmx::BasicExitReason reason = vmx::BasicExitReason::kEntryFailureGuestState;
  std::uint64_t qualification = 0;
};

// The SDM's checks of VMCS12, controls first; nothing where the entry may go on.
[[nodiscard]] std::optional<EntryAttempt> check_entry(Vcpu& vcpu, vmx::Vmcs12& vmcs12);

// Logs which check explains that the CPU refused the guest state of VMCS02, which is current.
void explain_refusal(Vcpu& vcpu, vmx::Vmcs12& vmcs12);

// VMLAUNCH or VMRESUME of the current VMCS12: checks, merge, switch to VMCS02.
[[nodiscard]] EntryAttempt enter_l2(Vcpu& vcpu, const vmx::Exit& exit);

// L1's registers that a nested entry passes on where VMCS12 loads nothing in their place.
struct L1Registers {
  std::uint64_t dr7 = 0;
  std::uint64_t debugctl = 0;
  std::uint64_t pat = 0;
  std::uint64_t efer = 0;
};

// Makes VMCS02 what VMCS12 and L0 want now; VMCS02 becomes current.
// False, with nothing entered, where L0 has no memory left for it.
[[nodiscard]] bool update_vmcs02(Vcpu& vcpu, vmx::Vmcs12& vmcs12, Vmcs02& vmcs02,
                                 const L1Registers& l1);

// What a field that lives in VMCS02, which is current, is to L1.
[[nodiscard]] std::uint64_t value_in_vmcs02(const vmx::Vmcs12& vmcs12, const Vmcs02& vmcs02,
                                            std::size_t position);
// Brings a field that lives in VMCS02 home into VMCS12. VMCS02 is current; or is made so and L1's
// VMCS01 is current again afterwards.
void fetch_current(Vcpu& vcpu, vmx::Vmcs12& vmcs12, Vmcs02& vmcs02, std::size_t position);
void fetch_for_l1(Vcpu& vcpu, vmx::Vmcs12& vmcs12, std::size_t position);
// All of them, and gives up what VMCS02 holds: before VMCS12 leaves its slot.
void release_vmcs02(Vcpu& vcpu, vmx::Vmcs12& vmcs12);

// Ends L2's run with an exit to L1. Afterwards VMCS01 is current and L1 runs at its host RIP.
void reflect(Vcpu& vcpu, const vmx::ExitInformation& information);
// The exit information of a hardware exit of L2, for reflection as it is.
[[nodiscard]] vmx::ExitInformation information_of(Vcpu& vcpu, const vmx::Exit& exit);

// The EPTP that L2 runs with, its root held; nothing where L0 cannot have one.
[[nodiscard]] std::optional<std::uint64_t> acquire_ept(Vcpu& vcpu, vmx::Vmcs12& vmcs12,
                                                       Vmcs02& vmcs02);
void release_ept(Vcpu& vcpu, Vmcs02& vmcs02);

// An EPT violation or misconfiguration of L2: true where it was reflected.
bool ept_exit(Vcpu& vcpu, const vmx::Exit& exit);
// Carries out what L1's INVEPT or INVVPID asked for.
void invalidate(Vcpu& vcpu, const vmx::Invalidation& what);
// L2's physical memory through EPT12, for L0's own accesses on L2's behalf; nothing where L2 runs
// on L1's memory directly or does not run.
using L2Memory = mmu::NestedMemory<VmMemory>;
[[nodiscard]] std::optional<L2Memory> l2_memory(Vcpu& vcpu);
// Such an access at linear address `linear` failed in EPT12: L1 gets the violation or
// misconfiguration.
void reflect_access_failure(Vcpu& vcpu, Gva linear, const L2Memory::Failure& failure);

// Loads or stores L1's MSR areas; false at the first entry that fails, whose number (from 1) is
// left in `entry`. SDM vol. 3C, "Loading MSRs", "Saving MSRs".
[[nodiscard]] bool load_msr_area(Vcpu& vcpu, std::uint64_t address, std::uint32_t count,
                                 std::uint32_t& entry);
[[nodiscard]] bool store_msr_area(Vcpu& vcpu, std::uint64_t address, std::uint32_t count);

}  // namespace archelon::hv::nested
