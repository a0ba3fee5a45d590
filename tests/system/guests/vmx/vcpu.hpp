// A tiny hypervisor: one virtual CPU whose guest, "L2", is 64-bit code of this same image.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vmx/fields.hpp"
#include "vmx/instructions.hpp"

namespace guest::vmx {

struct Registers {
  std::uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
};

// vcpu_entry.asm uses these offsets.
struct alignas(4096) Vcpu {
  Registers regs{};
  std::uint64_t host_rsp = 0;
  std::uint64_t launched = 0;
  std::array<std::uint64_t, 62> exit_stack{};
  // The VM exit finds the stack pointer here, and by it its Vcpu.
  std::uint64_t self = 0;
  alignas(4096) std::array<std::uint8_t, 4096> vmcs{};
  alignas(16) std::array<std::uint8_t, 16384> stack{};
};
static_assert(offsetof(Vcpu, host_rsp) == 120);
static_assert(offsetof(Vcpu, launched) == 128);

struct Exit {
  std::uint32_t reason = 0;
  std::uint64_t qualification = 0;
  std::uint32_t instruction_length = 0;
};

// What a guest wants beyond the minimum; every bit must be offered by the capability MSRs.
struct Options {
  std::uint32_t pin = 0;
  std::uint32_t proc = 0;
  std::uint32_t proc2 = 0;
  std::uint32_t exit = 0;
  std::uint32_t entry = 0;
  std::uint64_t ept_pointer = 0;
};

// The word with the bits that the capability MSR requires; ends the guest if it forbids a wanted
// bit.
std::uint32_t adjust(const char* name, std::uint32_t true_msr, std::uint32_t plain_msr,
                     std::uint32_t wanted);
// True if all the bits are offered.
bool offers(std::uint32_t msr, std::uint32_t bits);
bool offers_proc2(std::uint32_t bits);
std::uint64_t ept_vpid_capabilities();

std::uint32_t vmcs_revision();
// Sets CR0 and CR4 as VMX operation wants them and executes VMXON.
Outcome enter_vmx();
void prepare_cpu_for_vmx();
// Ends the guest with a plain line if the machine has no VMX.
void require_vmx();

// VMCLEAR, VMPTRLD, and all fields, for an L2 which begins at code.
void set_up(Vcpu& vcpu, void (*code)(), const Options& options = {});

// VMLAUNCH or VMRESUME of the current VMCS: the next exit, or ends the guest.
Exit run(Vcpu& vcpu);
// The same where the entry's instruction may fail.
Outcome try_run(Vcpu& vcpu, Exit& exit);
void skip_instruction();

// Without the end of the line.
void put_exit(const Exit& exit);

}  // namespace guest::vmx

extern "C" {
// 0 is a VM exit, 1 VMfailInvalid, 2 VMfailValid.
std::uint64_t vcpu_enter(guest::vmx::Vcpu* vcpu);
void vcpu_exit();
}
