#include "hv/exits/handlers.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/tlb.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"
#include "mmu/ept_qualification.hpp"
#include "mmu/ept_walk.hpp"

// The shadow EPT of a VM as its vCPUs use it: roots, violations, invalidations, and the flushes
// that one vCPU owes to the tables another one dropped.
namespace archelon::hv::nested {
namespace {

using namespace vmx;

// Tables of EPT02 for one VM: 2 MiB for each GiB it has, and not less than a working set.
constexpr std::uint64_t kMinTables = 512;
constexpr std::uint64_t kTablesPerGiB = 512;

[[nodiscard]] bool make_shadow(Vm& vm) {
  VmShadow& s = vm.shadow;
  if (s.shadow) {
    return true;
  }
  const std::uint64_t tables = kMinTables + (vm.layout.memory() >> 30) * kTablesPerGiB;
  s.info = static_cast<mmu::ShadowTable*>(allocate_object(tables * sizeof(mmu::ShadowTable)));
  {
    archelon::hw::SpinlockGuard guard(system().frames_lock);
    const auto arena = system().frames.allocate_contiguous(
        mmu::ShadowTables<HostMemory>::arena_bytes(tables), kPageSize);
    if (s.info == nullptr || !arena) {
      return false;
    }
    s.arena = *arena;
  }
  for (std::uint64_t i = 0; i < tables; ++i) {
    new (&s.info[i]) mmu::ShadowTable();
  }
  mmu::ept::Features l1 = mmu::ept::features_from_capability(
      system().l1_capabilities[arch::msr::kVmxEptVpidCap], system().physical_bits);
  s.shadow.emplace(
      vm.memory, system().memory, *vm.ept01, s.arena, std::span(s.info, tables),
      mmu::ShadowConfig{.guest = l1, .host = system().ept_features, .roots = Shadow::kMaxRoots});
  return true;
}

// Carries a flush out here, and makes the VM's other vCPUs do so before they run an L2 again. With
// the VM's shadow lock held.
void flush(Vcpu& vcpu, const mmu::Flush& what) {
  if (what.kind == mmu::FlushKind::kNone) {
    return;
  }
  flush_all_ept();
  VmShadow& s = vcpu.vm.shadow;
  s.epoch = what.epoch;
  vcpu.nested->shadow_epoch = what.epoch;
  std::uint64_t oldest = what.epoch;
  for (unsigned i = 0; i < vcpu.vm.vcpu_count; ++i) {
    Vcpu& other = *vcpu.vm.vcpus[i];
    if (&other == &vcpu) {
      continue;
    }
    if (!other.nested->uses_shadow.load(std::memory_order_acquire)) {
      continue;
    }
    other.request(work::kShadowFlush);
    const std::uint64_t seen = other.nested->shadow_epoch;
    oldest = seen < oldest ? seen : oldest;
  }
  s.shadow->complete_flush(oldest);
}

// EPT02's rights as the qualification of a violation that L1 gets.
[[nodiscard]] std::uint64_t reflected_qualification(std::uint64_t hardware, mmu::Rights rights) {
  constexpr std::uint64_t kPermissions = EptViolation::kPermissions;
  // What advanced information the hardware adds is not offered to L1.
  constexpr std::uint64_t kKept = EptViolation::kAccess | EptViolation::kLinearValid |
                                  EptViolation::kFinalTranslation |
                                  EptViolation::kNmiUnblockedByIret;
  static_assert((kKept & kPermissions) == 0);
  return (hardware & kKept) | (rights.contains(mmu::Rights::kRead) ? EptViolation::kReadable : 0) |
         (rights.contains(mmu::Rights::kWrite) ? EptViolation::kWritable : 0) |
         (rights.contains(mmu::Rights::kExecuteSupervisor) ? EptViolation::kExecutable : 0);
}

void reflect_ept(Vcpu& vcpu, const Exit& exit, BasicExitReason reason, std::uint64_t address,
                 std::uint64_t qualification) {
  ExitInformation information = information_of(vcpu, exit);
  information.reason.word = static_cast<std::uint32_t>(reason);
  information.guest_physical_address = address;
  information.qualification = qualification;
  information.instruction_info = 0;
  reflect(vcpu, information);
}

}  // namespace

std::optional<std::uint64_t> acquire_ept(Vcpu& vcpu, Vmcs12& vmcs12, Vmcs02& vmcs02) {
  // A vCPU holds the root of the L2 that it runs and no other, so that there is always one to be
  // had; trees outlive their holders.
  Engine& engine = *vcpu.nested;
  if (engine.root_holder != nullptr && engine.root_holder != &vmcs02) {
    release_ept(vcpu, *engine.root_holder);
  }
  engine.root_holder = &vmcs02;
  if ((secondary_controls(vmcs12) & secondary::kEnableEpt) == 0) {
    release_ept(vcpu, vmcs02);
    return vcpu.vm.eptp01;
  }
  const std::uint64_t eptp12 = vmcs12.read(fields::kEptPointer);
  VmShadow& s = vcpu.vm.shadow;
  // What a held root is bound to does not change: no lock.
  if (vmcs02.root && s.shadow->is_bound(*vmcs02.root, eptp12, false)) {
    return vmcs02.eptp02;
  }
  hw::SpinlockGuard guard(s.lock);
  if (!make_shadow(vcpu.vm)) {
    return std::nullopt;
  }
  if (vmcs02.root) {
    s.shadow->release(*vmcs02.root);
    vmcs02.root.reset();
  }
  engine.uses_shadow.store(true, std::memory_order_release);
  const auto binding = s.shadow->acquire(eptp12, false);
  if (!binding) {
    return std::nullopt;
  }
  vmcs02.root = binding->root;
  vmcs02.eptp02 = binding->pointer;
  flush(vcpu, binding->flush);
  return vmcs02.eptp02;
}

void release_ept(Vcpu& vcpu, Vmcs02& vmcs02) {
  if (vmcs02.root) {
    archelon::hw::SpinlockGuard guard(vcpu.vm.shadow.lock);
    vcpu.vm.shadow.shadow->release(*vmcs02.root);
    vmcs02.root.reset();
  }
}

bool ept_exit(Vcpu& vcpu, const Exit& exit) {
  const std::uint64_t address = vcpu.vmcs().read(fields::kGuestPhysicalAddress);
  if ((exit.qualification & EptViolation::kNmiUnblockedByIret) != 0 &&
      !exit.idt_vectoring.valid()) {
    // The IRET that faulted has unblocked NMIs already; it will run again.
    vcpu.vmcs().write(
        fields::kGuestInterruptibilityState,
        vcpu.vmcs().read(fields::kGuestInterruptibilityState) | interruptibility::kBlockingByNmi);
  }
  Vmcs02& vmcs02 = *vcpu.nested->vmcs02;
  if (!vmcs02.root) {
    exits::mmio(vcpu, exit, Gpa1(address));  // L2 runs on EPT01
    return false;
  }
  if (exit.basic() == BasicExitReason::kEptMisconfiguration) {
    exits::unexpected(vcpu, exit);  // EPT02 is L0's own work
    return false;
  }
  mmu::ViolationResult result;
  {
    VmShadow& s = vcpu.vm.shadow;
    archelon::hw::SpinlockGuard guard(s.lock);
    result = s.shadow->handle_violation(*vmcs02.root, Gpa2(address),
                                        mmu::access_of_qualification(exit.qualification, false),
                                        mmu::is_page_walk_qualification(exit.qualification));
    flush(vcpu, result.flush);
  }
  switch (result.kind) {
    case mmu::ViolationKind::kFilled:
    case mmu::ViolationKind::kRetry:
      return false;
    case mmu::ViolationKind::kReflectViolation:
      reflect_ept(vcpu, exit, BasicExitReason::kEptViolation, address,
                  reflected_qualification(exit.qualification, result.rights));
      return true;
    case mmu::ViolationKind::kReflectMisconfiguration:
      reflect_ept(vcpu, exit, BasicExitReason::kEptMisconfiguration, address, 0);
      return true;
    case mmu::ViolationKind::kBacking:
      exits::mmio(vcpu, exit, result.gpa1);
      return false;
  }
  return false;
}

void invalidate(Vcpu& vcpu, const Invalidation& what) {
  using Kind = Invalidation::Kind;
  if (what.kind == Kind::kEptSingle || what.kind == Kind::kEptAll) {
    VmShadow& s = vcpu.vm.shadow;
    archelon::hw::SpinlockGuard guard(s.lock);
    if (s.shadow) {
      flush(vcpu, what.kind == Kind::kEptSingle ? s.shadow->invalidate_single(what.eptp)
                                                : s.shadow->invalidate_all());
    }
    return;
  }
  // Whatever VPID L1 means: its translations can only be under vpid02, or flushed when it is used
  // again for another one.
  if (what.kind == Kind::kVpidAll || what.vpid == vcpu.nested->last_vpid12) {
    flush_vpid(vpid02(vcpu));
  }
}

void catch_up_flushes(Vcpu& vcpu) {
  if ((vcpu.work() & work::kShadowFlush) != 0) {
    vcpu.take(work::kShadowFlush);
  }
  VmShadow& s = vcpu.vm.shadow;
  const std::uint64_t epoch = __atomic_load_n(&s.epoch, __ATOMIC_ACQUIRE);
  if (vcpu.nested->shadow_epoch != epoch) {
    flush_all_ept();
    vcpu.nested->shadow_epoch = epoch;
  }
}

void forget_l2s(Vm& vm) {
  VmShadow& s = vm.shadow;
  archelon::hw::SpinlockGuard guard(s.lock);
  if (!s.shadow) {
    return;
  }
  const mmu::Flush flush = s.shadow->drop_range(Gpa1(), ~std::uint64_t{0});
  if (flush.kind != mmu::FlushKind::kNone) {
    s.epoch = flush.epoch;  // each vCPU catches up before it runs an L2
  }
}

std::optional<L2Memory> l2_memory(Vcpu& vcpu) {
  if (!running_l2(vcpu) || !vcpu.nested->vmcs02->root) {
    return std::nullopt;
  }
  const auto features = mmu::ept::features_from_capability(
      system().l1_capabilities[arch::msr::kVmxEptVpidCap], system().physical_bits);
  return L2Memory(vcpu.vm.memory,
                  mmu::root_of_pointer<Gpa1>(vcpu.nested->vmcs12->read(fields::kEptPointer)),
                  mmu::ept::Rules(features));
}

void reflect_access_failure(Vcpu& vcpu, Gva linear, const L2Memory::Failure& failure) {
  ExitInformation information;
  information.guest_linear_address = linear.value();
  information.guest_physical_address = failure.address.value();
  if (failure.walk.outcome == mmu::WalkOutcome::kMisconfiguration) {
    information.reason.word = static_cast<std::uint32_t>(BasicExitReason::kEptMisconfiguration);
  } else {
    information.reason.word = static_cast<std::uint32_t>(BasicExitReason::kEptViolation);
    information.qualification =
        mmu::make_ept_qualification({.access = failure.access,
                                     .rights = failure.walk.rights,
                                     .linear_valid = true,
                                     .final_access = !failure.guest_page_walk});
  }
  reflect(vcpu, information);
}

bool read_guest_physical(Vcpu& vcpu, std::uint64_t address, std::span<std::byte> out) {
  if (std::optional<L2Memory> memory = l2_memory(vcpu)) {
    return memory->read(Gpa2(address), out);
  }
  return vcpu.vm.memory.read(Gpa1(address), out);
}

}  // namespace archelon::hv::nested
