#pragma once

#include <cstdint>
#include <optional>

#include "hv/arch/cr.hpp"
#include "hv/base/bits.hpp"

namespace archelon::vmx {

// What the VM-entry checks need to know about the CPU beside its VMX capability MSRs. For L1 it is
// its virtual CPU.
struct CheckEnvironment {
  unsigned physical_bits = 46;  // CPUID 80000008H:EAX[7:0]
  unsigned linear_bits = 48;    // CPUID 80000008H:EAX[15:8]
  // IA32_EFER.LMA when the entry is tried; nothing where that is not known.
  std::optional<bool> long_mode = true;
  bool in_smm = false;
  // The current VMCS and the executive VMCS (of an entry from SMM). All ones where not known.
  std::uint64_t current_vmcs = ~std::uint64_t{0};
  std::uint64_t executive_vmcs = ~std::uint64_t{0};

  // Bits that WRMSR accepts in these MSRs.
  std::uint64_t efer = arch::efer::kDefined;
  std::uint64_t debugctl = bit_mask(15, 6) | bit_mask(2, 0);
  std::uint64_t perf_global_ctrl = bit_mask(48, 48) | bit_mask(34, 32) | bit_mask(7, 0);
  std::uint64_t rtit_ctl = bit_mask(59, 0);
  std::uint64_t lbr_ctl = bit_mask(22, 16) | bit_mask(3, 0);
  std::uint64_t spec_ctrl = bit_mask(10, 0);

  bool sgx = false;             // CPUID 07H:EBX.SGX
  bool tsx = false;             // CPUID 07H:EBX.RTM
  bool bus_lock_debug = false;  // CPUID 07H:ECX.BUS_LOCK_DETECT
  bool lam = false;             // CPUID 07H.1:EAX.LAM
  // Some CPUs refuse to inject an NMI while STI blocks, some do not.
  bool sti_blocks_nmi = true;
};

}  // namespace archelon::vmx
