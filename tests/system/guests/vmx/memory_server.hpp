// An L2 which touches memory as L1 tells it: one access per VMCALL.
#pragma once

#include <cstdint>

#include "vmx/vcpu.hpp"

namespace guest::vmx {

enum class Access : std::uint64_t {
  kRead = 1,
  kWrite = 2,
  kExecute = 3,
  kAdd = 4,
  kRead32 = 5,
  kWrite32 = 6
};

extern "C" void memory_server();

// Resumes L2, which stands at its VMCALL, to make one access. The exit is its next VMCALL, with
// what was read (or the executed code's RAX) in vcpu.regs.rax, or what the access met.
Exit begin_access(Vcpu& vcpu, Access access, std::uint64_t gva, std::uint64_t value = 0);
// The access goes on after L1 has mended what it met.
Exit continue_access(Vcpu& vcpu);
// Prints "NAME: value V", or the exit with its addresses.
void report_access(const char* name, const Vcpu& vcpu, const Exit& exit);

// What the executed page holds: mov $imm32, %eax; ret.
void put_code(std::uint64_t address, std::uint32_t value);

}  // namespace guest::vmx
