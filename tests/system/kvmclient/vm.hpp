// One virtual machine with one virtual CPU, over Linux's KVM interface.
#pragma once

#include <linux/kvm.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvmclient {

class Vm {
 public:
  // With an interrupt controller and timer in the kernel, or without.
  Vm(std::size_t memory_bytes, bool irqchip);
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;
  ~Vm();

  std::span<std::uint8_t> memory() { return {memory_, memory_bytes_}; }
  void load(std::size_t address, std::span<const std::uint8_t> bytes);

  kvm_regs regs() const;
  void set_regs(const kvm_regs& regs);
  kvm_sregs sregs() const;
  void set_sregs(const kvm_sregs& sregs);

  // Runs until the next exit to user space; false when a signal ended the run.
  bool run();
  kvm_run& exit() { return *run_; }
  const kvm_run& exit() const { return *run_; }
  // The last exit in words, for a complaint; valid until the next call.
  const char* describe_exit() const;
  // The bytes of a port access, `count` times `size` of them.
  std::span<std::uint8_t> io_data();

  void set_irq(unsigned line, bool level);
  void interrupt(unsigned vector);  // without irqchip

 private:
  int kvm_ = -1;
  int vm_ = -1;
  int vcpu_ = -1;
  std::uint8_t* memory_ = nullptr;
  std::size_t memory_bytes_ = 0;
  kvm_run* run_ = nullptr;
  std::size_t run_bytes_ = 0;
};

// Flat segments.
kvm_segment flat_code(bool long_mode);
kvm_segment flat_data();

}  // namespace kvmclient
