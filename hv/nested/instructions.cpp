#include "hv/arch/mode.hpp"
#include "hv/control_registers.hpp"
#include "hv/guest_access.hpp"
#include "hv/guest_state.hpp"
#include "hv/msr_access.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"
#include "vmx/instructions/execute.hpp"

namespace archelon::hv::nested {
namespace {

using namespace vmx;

// Called by the cache before a VMCS12 leaves its slot.
struct Releaser {
  Vcpu& vcpu;
  void operator()(Vmcs12& vmcs12) const { release_vmcs02(vcpu, vmcs12); }
};

// L1 as the emulation of its VMX instructions sees it. VMCS01 is current.
class Context {
 public:
  explicit Context(Vcpu& vcpu) : vcpu_(vcpu) {}

  [[nodiscard]] NestedState& nested() { return vcpu_.nested->state; }
  [[nodiscard]] arch::CpuMode mode() {
    native::Vmcs& vmcs = vcpu_.vmcs();
    return arch::cpu_mode(vmcs.read(fields::kGuestCr0), vmcs.read(fields::kGuestEfer),
                          vmcs.read(fields::kGuestRflags), vmcs.read(fields::kGuestCsAccessRights));
  }
  [[nodiscard]] unsigned cpl() { return guest_cpl(vcpu_); }
  [[nodiscard]] std::uint64_t cr0() { return guest_cr0(vcpu_); }
  [[nodiscard]] std::uint64_t cr4() { return guest_cr4(vcpu_); }
  [[nodiscard]] std::uint64_t gpr(arch::Gpr r) {
    return r == arch::Gpr::kRsp ? vcpu_.vmcs().read(fields::kGuestRsp) : vcpu_.gprs[r];
  }
  void set_gpr(arch::Gpr r, std::uint64_t value) {
    if (r == arch::Gpr::kRsp) {
      vcpu_.vmcs().write(fields::kGuestRsp, value);
    } else {
      vcpu_.gprs[r] = value;
    }
  }
  [[nodiscard]] arch::SegmentRegister segment(arch::Segment s) {
    return read_guest_segment(vcpu_.vmcs(), s);
  }
  [[nodiscard]] bool blocked_by_mov_ss() {
    return (vcpu_.vmcs().read(fields::kGuestInterruptibilityState) &
            interruptibility::kBlockingByMovSs) != 0;
  }
  [[nodiscard]] std::uint64_t feature_control() { return feature_control_of(vcpu_); }
  [[nodiscard]] std::optional<arch::Exception> read_linear(Gva at, std::span<std::byte> out) {
    return read_l1_linear(vcpu_, at, out);
  }
  [[nodiscard]] std::optional<arch::Exception> write_linear(Gva at, std::span<const std::byte> in) {
    return write_l1_linear(vcpu_, at, in);
  }
  [[nodiscard]] const VmMemory& l1_memory() { return vcpu_.vm.memory; }
  [[nodiscard]] const Capabilities& capabilities() const { return system().l1_capabilities; }
  [[nodiscard]] const FieldSet& fields() const { return system().l1_fields; }
  [[nodiscard]] unsigned physical_bits() const { return system().physical_bits; }
  [[nodiscard]] unsigned linear_bits() const { return 48; }

  [[nodiscard]] Vmcs12& load_vmcs12(Gpa1 region) {
    return vcpu_.nested->cache.load(vcpu_.vm.memory, region, Releaser{vcpu_});
  }
  void clear_vmcs12(Gpa1 region) {
    vcpu_.nested->cache.clear(vcpu_.vm.memory, region, Releaser{vcpu_});
  }
  void release_vmcs12s() { vcpu_.nested->cache.give_back_all(vcpu_.vm.memory, Releaser{vcpu_}); }
  void fetch(Vmcs12& vmcs12, std::size_t position) { fetch_for_l1(vcpu_, vmcs12, position); }

 private:
  Vcpu& vcpu_;
};
static_assert(VmxInstructionContext<Context>);

// The flags and RIP of an instruction that ended.
void complete(Vcpu& vcpu, const Exit& exit, VmxOutcome::Kind kind) {
  native::Vmcs& vmcs = vcpu.vmcs();
  vmcs.write(fields::kGuestRflags, rflags_after(kind, vmcs.read(fields::kGuestRflags)));
  skip_instruction(vcpu, exit);
}

void enter(Vcpu& vcpu, const Exit& exit) {
  Engine& engine = *vcpu.nested;
  const EntryAttempt attempt = enter_l2(vcpu, exit);
  switch (attempt.kind) {
    case EntryAttempt::Kind::kEntered:
      ++vcpu.counters.nested_entries;
      return;
    case EntryAttempt::Kind::kFailValid:
      ++vcpu.counters.nested_entry_failures;
      engine.state.current->write(fields::kInstructionError,
                                  static_cast<std::uint32_t>(attempt.error));
      complete(vcpu, exit, VmxOutcome::Kind::kFailValid);
      return;
    case EntryAttempt::Kind::kFailedEntry:
      ++vcpu.counters.nested_entry_failures;
      return;  // L1 runs at its host RIP already
  }
}

}  // namespace

void vmx_instruction(Vcpu& vcpu, const Exit& exit) {
  Context context(vcpu);
  const bool was_in_vmx = vcpu.nested->state.in_vmx_operation();
  const bool has_information =
      exit.basic() != BasicExitReason::kVmlaunch && exit.basic() != BasicExitReason::kVmresume &&
      exit.basic() != BasicExitReason::kVmxoff && exit.basic() != BasicExitReason::kVmcall;
  const VmxOutcome outcome = execute(
      context, exit.basic(), has_information ? vcpu.vmcs().read(fields::kExitInstructionInfo) : 0,
      exit.qualification);
  if (outcome.kind == VmxOutcome::Kind::kException) {
    inject_exception(vcpu, outcome.exception);
    return;
  }
  if (outcome.kind == VmxOutcome::Kind::kEnter) {
    enter(vcpu, exit);
    return;
  }
  if (outcome.invalidation) {
    invalidate(vcpu, *outcome.invalidation);
  }
  if (was_in_vmx != vcpu.nested->state.in_vmx_operation()) {
    update_vmx_operation(vcpu, !was_in_vmx);
    if (was_in_vmx && vcpu.nested->init_blocked) {
      vcpu.nested->init_blocked = false;
      vcpu.request(work::kInit);
    }
  }
  complete(vcpu, exit, outcome.kind);
}

bool allows_cr0(const Vcpu& vcpu, std::uint64_t value) {
  if (!vcpu.nested->state.in_vmx_operation()) {
    return true;
  }
  const Capabilities& caps = system().l1_capabilities;
  std::uint64_t fixed0 = caps[arch::msr::kVmxCr0Fixed0];
  if (vcpu.nested->state.mode == VmxMode::kNonRoot &&
      (secondary_controls(*vcpu.nested->vmcs12) & secondary::kUnrestrictedGuest) != 0) {
    fixed0 &= ~(arch::cr0::kPe | arch::cr0::kPg);
  }
  return (value & fixed0) == fixed0 && (value & ~caps[arch::msr::kVmxCr0Fixed1]) == 0;
}

bool allows_cr4(const Vcpu& vcpu, std::uint64_t value) {
  if (!vcpu.nested->state.in_vmx_operation()) {
    return true;
  }
  const Capabilities& caps = system().l1_capabilities;
  const std::uint64_t fixed0 = caps[arch::msr::kVmxCr4Fixed0];
  return (value & fixed0) == fixed0 && (value & ~caps[arch::msr::kVmxCr4Fixed1]) == 0;
}

std::uint64_t cr0_masked_by_l1(const Vcpu& vcpu) {
  return running_l2(vcpu) ? vcpu.nested->vmcs12->read(fields::kCr0GuestHostMask) : 0;
}

std::uint64_t cr4_masked_by_l1(const Vcpu& vcpu) {
  return running_l2(vcpu) ? vcpu.nested->vmcs12->read(fields::kCr4GuestHostMask) : 0;
}

}  // namespace archelon::hv::nested
