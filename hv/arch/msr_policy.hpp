#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hv/arch/cpuid_policy.hpp"
#include "hv/arch/msr.hpp"

// Which MSRs L1 has and who looks after each. What is not listed raises #GP, as on a CPU without
// it; operating systems probe model-specific MSRs with that in mind.
namespace archelon::arch {

// An access that the architecture answers with #GP(0).
struct Gp {};

enum class MsrOwner : std::uint8_t {
  kAbsent,       // #GP
  kPassThrough,  // not intercepted: the CPU holds L1's value while the vCPU runs there, and checks
                 // it. Of those that the VMCS does not switch, the values are swapped with the vCPU
  kVmcs,       // L1's value is in a VMCS field; reads are not intercepted, writes are checked by L0
  kTimeStamp,  // TSC (reads not intercepted) and TSC_ADJUST: MsrBank::write_tsc
  kLapic,      // the emulated local APIC
  kVmxCapability,
  kBank,  // emulated: MsrBank
};

// What a VM must have for an MSR to exist.
enum class MsrNeed : std::uint8_t {
  kNothing,
  kVmx,
  kSpecCtrl,
  kPredCmd,
  kFlushCmd,
  kArchCapabilities,
  kXsaves,
  kTscAux,
};

// How the bank treats a WRMSR.
enum class MsrWrite : std::uint8_t {
  kMasked,   // `writable` bits change; others must not, or #GP, unless in `ignored`
  kRefused,  // #GP
  kIgnored,  // accepted without effect
  kMtrrVariable,
  kMtrrFixed,
  kMtrrDefault,
};

// MSRs first..last; for the bank's also their power-on value and what may be written.
struct MsrRule {
  std::uint32_t first;
  std::uint32_t last;
  MsrOwner owner;
  std::string_view name;
  MsrNeed need = MsrNeed::kNothing;
  MsrWrite write = MsrWrite::kRefused;
  std::uint64_t reset = 0;
  std::uint64_t writable = 0;
  std::uint64_t ignored = 0;
};

// The number of MSRs whose owner is the bank.
inline constexpr std::size_t kMsrBankSlots = 43;

// Sorted by index.
[[nodiscard]] std::span<const MsrRule> msr_rules();
[[nodiscard]] const MsrRule* find_msr_rule(std::uint32_t index);

// DEBUGCTL bits that L1 may set. LBRs are not offered.
inline constexpr std::uint64_t kDebugCtlOffered = msr::kDebugCtlBtf;

// What of a VM decides about its MSRs.
struct MsrConfig {
  bool vmx = false;
  bool spec_ctrl = false;
  bool pred_cmd = false;
  bool flush_cmd = false;
  bool arch_capabilities = false;
  bool xsaves = false;
  bool tsc_aux = false;
  unsigned physical_bits = 36;
  std::uint64_t arch_capabilities_value = 0;
  std::uint32_t microcode_revision = 0;

  [[nodiscard]] bool has(MsrNeed need) const;
};

// From what the VM's CPUID says. `arch_capabilities` is the hardware's IA32_ARCH_CAPABILITIES (0
// where it has none), of which L1 sees what holds in a guest; `microcode_revision` is the upper
// half of IA32_BIOS_SIGN_ID.
[[nodiscard]] MsrConfig make_msr_config(const CpuidTable& cpuid, std::uint64_t arch_capabilities,
                                        std::uint32_t microcode_revision);

[[nodiscard]] MsrOwner msr_owner(std::uint32_t index, const MsrConfig& config);
// Whether RDMSR and WRMSR of the index must exit, for the MSR bitmap.
[[nodiscard]] bool msr_read_exits(std::uint32_t index, const MsrConfig& config);
[[nodiscard]] bool msr_write_exits(std::uint32_t index, const MsrConfig& config);

// Calls visit(index, read_exits, write_exits) for each MSR of which some access does not exit.
template <class Visit>
void for_each_open_msr(const MsrConfig& config, Visit visit) {
  for (const MsrRule& rule : msr_rules()) {
    for (std::uint32_t index = rule.first; index <= rule.last; ++index) {
      const bool read_exits = msr_read_exits(index, config);
      const bool write_exits = msr_write_exits(index, config);
      if (!read_exits || !write_exits) {
        visit(index, read_exits, write_exits);
      }
    }
  }
}

}  // namespace archelon::arch
