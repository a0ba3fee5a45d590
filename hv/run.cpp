#include "hv/run.hpp"

#include <algorithm>
#include <array>

#include "hv/base/log.hpp"
#include "hv/base/static_vector.hpp"
#include "hv/delivery.hpp"
#include "hv/exits/dispatch.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/lifecycle.hpp"
#include "hv/live_state.hpp"
#include "hv/machine_access.hpp"
#include "hv/monitor.hpp"
#include "hv/nested/engine.hpp"
#include "hv/system.hpp"
#include "hv/timer.hpp"
#include "hv/vcpu_state.hpp"
#include "hv/vm.hpp"
#include "hv/vmcs_snapshot.hpp"

namespace archelon::hv {
namespace {

// A vCPU gives way to the next on its CPU after this long.
constexpr std::uint64_t kSliceNs = 10'000'000;

static_assert(kMaxVcpusPerCpu >= kMaxVms * kMaxVcpus);

struct RunQueue {
  hw::Spinlock lock;
  StaticVector<Vcpu*, kMaxVcpusPerCpu> vcpus;
  std::size_t next = 0;
};
constinit std::array<RunQueue, hw::kMaxCpus> g_queues{};

RunQueue& this_queue() {
  return g_queues[hw::this_cpu().index];
}

// Fires the device timers of the VMs that have a vCPU here.
void advance_devices() {
  hw::SpinlockGuard guard(this_queue().lock);
  for (Vcpu* vcpu : this_queue().vcpus) {
    if (vcpu->activity != Activity::kStopped && vcpu->vm.state == VmState::kRunning) {
      MachineAccess access(vcpu->vm);
      access.machine().advance(access.now());
    }
  }
}

[[nodiscard]] bool wakes(Vcpu& vcpu) {
  switch (vcpu.activity) {
    case Activity::kRunning:
      return true;
    case Activity::kHalted:
    case Activity::kWaitForSipi:
      return vcpu.has_work() || vcpu.nmi_pending || nested::timer_due(vcpu);
    case Activity::kStopped:
      return false;
  }
  return false;
}

Vcpu* next_runnable() {
  RunQueue& queue = this_queue();
  hw::SpinlockGuard guard(queue.lock);
  for (std::size_t i = 0; i < queue.vcpus.size(); ++i) {
    Vcpu* vcpu = queue.vcpus[(queue.next + i) % queue.vcpus.size()];
    if (wakes(*vcpu)) {
      queue.next = (queue.next + i + 1) % queue.vcpus.size();
      return vcpu;
    }
  }
  return nullptr;
}

// Takes the requests that change what the vCPU is, before it runs on. False where it must not run
// on: it waits, or it is retired, in which case a VM that starts over may have made it anew
// already.
[[nodiscard]] bool process_work(Vcpu& vcpu) {
  if (vcpu.take(work::kStop)) {
    retire_vcpu(vcpu);
    return false;
  }
  if (vcpu.take(work::kInit)) {
    nested::init_signal(vcpu);
  }
  if (vcpu.take(work::kSipi)) {
    nested::startup_signal(vcpu);
  }
  if (vcpu.take(work::kNmi)) {
    vcpu.nmi_pending = true;
  }
  if (vcpu.take(work::kSnapshot)) {
    answer_snapshot(vcpu);
  }
  if ((vcpu.work() & work::kShadowFlush) != 0) {
    nested::catch_up_flushes(vcpu);
  }
  switch (vcpu.activity) {
    case Activity::kWaitForSipi:
      // Nothing but a SIPI ends the wait, and the local APIC holds what interrupts there are.
      vcpu.take(work::kInterrupts);
      vcpu.nmi_pending = false;
      break;
    case Activity::kHalted:
      // Taken before the look, so that an interrupt which comes during it is not lost. One that
      // cannot wake the vCPU is looked at again when something else does.
      vcpu.take(work::kInterrupts);
      if (wakes_from_halt(vcpu)) {
        vcpu.request(work::kInterrupts);
        if (nested::running_l2(vcpu)) {
          nested::deliver_to_l1(vcpu);  // an exit finds L2 halted still
        }
        vcpu.activity = Activity::kRunning;
      }
      break;
    case Activity::kRunning:
    case Activity::kStopped:
      break;
  }
  return vcpu.activity == Activity::kRunning;
}

void run_slice(Vcpu& vcpu, std::uint64_t slice_ns) {
  if (vcpu.fresh) {
    prepare_vmcs01(vcpu);
    reset_msrs(vcpu);
    set_boot_state(vcpu, vcpu.start_state);
    vcpu.fresh = false;
  }
  load_live_state(vcpu);
  vcpu.use_vmcs(vcpu.vmcs());
  const std::uint64_t end = now_ns() + slice_ns;
  const std::uint64_t end_tsc = system().clock.to_tsc(end);
  wake_by(end);
  while (true) {
    if (vcpu.has_work() || vcpu.activity != Activity::kRunning) [[unlikely]] {
      if (!process_work(vcpu)) {
        return;
      }
    }
    deliver_events(vcpu);
    // A guest with many exits is not let past the slice's end where the interrupt fails to end it.
    if (!enter_and_handle(vcpu) && hw::rdtsc() < end_tsc) [[likely]] {
      continue;
    }
    // The exit was the machine's own (timer, IPI): devices and the other vCPUs come first.
    advance_devices();
    if (now_ns() >= end) {
      return;
    }
  }
}

}  // namespace

void schedule(Vcpu& vcpu) {
  RunQueue& queue = g_queues[vcpu.cpu];
  hw::SpinlockGuard guard(queue.lock);
  ARCHELON_ASSERT(queue.vcpus.push_back(&vcpu));
}

void unschedule(Vcpu& vcpu) {
  RunQueue& queue = g_queues[vcpu.cpu];
  hw::SpinlockGuard guard(queue.lock);
  for (std::size_t i = 0; i < queue.vcpus.size(); ++i) {
    if (queue.vcpus[i] == &vcpu) {
      queue.vcpus.erase(i);
      return;
    }
  }
}

void run_cpu() {
  while (true) {
    const std::uint64_t slice_ns = std::min(poll_monitor(), kSliceNs);
    advance_devices();
    if (Vcpu* vcpu = next_runnable()) {
      run_slice(*vcpu, slice_ns);
      continue;
    }
    wake_by(now_ns() + slice_ns);
    hw::wait_for_interrupt();
  }
}

}  // namespace archelon::hv
