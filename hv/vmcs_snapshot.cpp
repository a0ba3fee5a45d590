#include "hv/vmcs_snapshot.hpp"

#include <atomic>

#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

using Outcome = VmcsCopy::Outcome;

constexpr std::uint64_t kTimeLimitNs = 2'000'000'000;

enum class State : std::uint8_t {
  kIdle,
  kAsked,
  kAnswering,  // the vCPU's CPU writes g_copy
  kAnswered,
};

// The boot CPU owns the rest in kIdle and kAnswered, the vCPU's CPU in kAnswering.
constinit std::atomic<State> g_state = State::kIdle;
constinit Vcpu* g_vcpu = nullptr;
constinit shell::VmcsLevel g_level = shell::VmcsLevel::kRunning;
constinit std::uint64_t g_asked_ns = 0;
constinit VmcsCopy g_copy;

// Every field that this CPU has.
void read_fields(vmx::native::Vmcs& vmcs) {
  vmcs.make_current();
  for (std::size_t i = 0; i < vmx::kFieldCount; ++i) {
    std::uint64_t value = 0;
    if (vmx::native::vmread(vmx::kFieldNames[i].encoding, value) ==
        vmx::native::Outcome::kSucceed) {
      g_copy.fields.set(i, value);
    }
  }
}

Outcome copy_vmcs01(Vcpu& vcpu) {
  if (!vcpu.vmcs01.attached()) {
    return Outcome::kNeverRan;
  }
  read_fields(vcpu.vmcs01);
  return Outcome::kTaken;
}

Outcome copy_vmcs02(nested::Engine& engine) {
  nested::Vmcs02& vmcs02 = engine.vmcs02_of(*engine.state.current);
  if (!vmcs02.vmcs.attached() || !vmcs02.ready) {
    return Outcome::kNoVmcs02;
  }
  read_fields(vmcs02.vmcs);
  return Outcome::kTaken;
}

// As L1 would read it, without bringing anything home.
void copy_vmcs12(nested::Engine& engine) {
  const vmx::Vmcs12& vmcs12 = *engine.state.current;
  nested::Vmcs02& vmcs02 = engine.vmcs02_of(vmcs12);
  if (!vmcs12.in_vmcs02().empty()) {
    vmcs02.vmcs.make_current();
  }
  system().l1_fields.for_each([&](std::size_t position) {
    g_copy.fields.set(position, vmcs12.is_in_vmcs02(position)
                                    ? nested::value_in_vmcs02(vmcs12, vmcs02, position)
                                    : vmcs12.read_at(position));
  });
}

Outcome copy_nested(nested::Engine& engine, shell::VmcsLevel level) {
  if (engine.state.current == nullptr) {
    return Outcome::kNoVmcs12;
  }
  g_copy.region12 = engine.state.current->region();
  if (level == shell::VmcsLevel::k02) {
    return copy_vmcs02(engine);
  }
  copy_vmcs12(engine);
  return Outcome::kTaken;
}

void copy(Vcpu& vcpu) {
  using shell::VmcsLevel;
  g_copy.level = g_level != VmcsLevel::kRunning ? g_level
                 : nested::running_l2(vcpu)     ? VmcsLevel::k02
                                                : VmcsLevel::k01;
  g_copy.fields.present.clear();
  g_copy.outcome =
      g_copy.level == VmcsLevel::k01 ? copy_vmcs01(vcpu) : copy_nested(*vcpu.nested, g_copy.level);
}

// None of its CPU's doing any more: its VMCS01 is in memory, cleared, and must be left so.
[[nodiscard]] bool is_retired(const Vcpu& vcpu) {
  const VmState state = vcpu.vm.state;
  return (state == VmState::kEnded || state == VmState::kStopped) && vcpu.vm.running_vcpus == 0;
}

void copy_retired(Vcpu& vcpu) {
  copy(vcpu);
  if (vcpu.vmcs01.attached()) {
    vcpu.vmcs01.clear();
  }
}

}  // namespace

bool request_snapshot(Vcpu& vcpu, shell::VmcsLevel level) {
  if (g_state.load(std::memory_order_acquire) != State::kIdle) {
    return false;
  }
  g_vcpu = &vcpu;
  g_level = level;
  g_asked_ns = now_ns();
  if (is_retired(vcpu)) {
    copy_retired(vcpu);
    g_state.store(State::kAnswered, std::memory_order_release);
    return true;
  }
  g_state.store(State::kAsked, std::memory_order_release);
  vcpu.request(work::kSnapshot);
  return true;
}

const VmcsCopy* poll_snapshot() {
  if (g_state.load(std::memory_order_acquire) == State::kAnswered) {
    g_state.store(State::kIdle, std::memory_order_relaxed);
    return &g_copy;
  }
  State asked = State::kAsked;
  if (now_ns() - g_asked_ns < kTimeLimitNs ||
      !g_state.compare_exchange_strong(asked, State::kIdle, std::memory_order_acquire)) {
    return nullptr;
  }
  g_copy.outcome = Outcome::kNoAnswer;
  return &g_copy;
}

void answer_snapshot(Vcpu& vcpu) {
  State asked = State::kAsked;
  // A request that was given up, or is for another vCPU by now, needs no answer.
  if (g_vcpu != &vcpu ||
      !g_state.compare_exchange_strong(asked, State::kAnswering, std::memory_order_acquire)) {
    return;
  }
  copy(vcpu);
  vcpu.vmcs().make_current();
  g_state.store(State::kAnswered, std::memory_order_release);
}

}  // namespace archelon::hv
