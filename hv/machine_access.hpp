#pragma once

#include "hv/system.hpp"
#include "hv/timer.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {

// Exclusive use of a VM's devices for a scope. At its end this CPU's timer is brought forward if a
// device now wants to be looked at earlier.
class MachineAccess {
 public:
  explicit MachineAccess(Vm& vm) : vm_(vm), guard_(vm.devices_lock), now_(now_ns()) {}
  ~MachineAccess() { wake_by(vm_.machine->next_deadline_ns()); }
  MachineAccess(const MachineAccess&) = delete;
  MachineAccess& operator=(const MachineAccess&) = delete;

  [[nodiscard]] Vm::Machine& machine() { return *vm_.machine; }
  // The time at which the lock was taken.
  [[nodiscard]] std::uint64_t now() const { return now_; }

 private:
  Vm& vm_;
  hw::SpinlockGuard guard_;
  std::uint64_t now_;
};

}  // namespace archelon::hv
