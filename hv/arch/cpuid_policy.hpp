#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hv/arch/cpuid.hpp"
#include "hv/base/static_vector.hpp"

// The CPUID leaves that L1 sees: the hardware's where cpuid_features() lets them through, one
// package of as many single-threaded cores as the VM has vCPUs, and the leaves of a hypervisor.
namespace archelon::arch {

template <class H>
concept CpuidSource = requires(H hardware, std::uint32_t leaf, std::uint32_t subleaf) {
  { hardware(leaf, subleaf) } -> std::same_as<CpuidResult>;
};

struct CpuidOptions {
  unsigned cpus = 1;
  std::uint64_t tsc_hz = 0;  // as the guest sees it
  bool vmx = true;           // offered, where the hardware has it
  // Whether L0 runs the guest with these secondary controls; without, the instructions raise #UD.
  bool enable_rdtscp = true;  // RDTSCP and RDPID
  bool enable_invpcid = true;
  bool enable_xsaves = true;
  bool enable_xsavec = true;  // the compacted format works on this CPU
};

// What of a vCPU's state shows in its CPUID.
struct CpuidState {
  std::uint32_t apic_id = 0;
  std::uint64_t cr4 = 0;
  std::uint64_t xcr0 = 1;
  std::uint64_t xss = 0;
  bool apic_enabled = true;  // IA32_APIC_BASE.EN
  bool in_64bit_mode = true;
};

inline constexpr std::uint32_t kHypervisorLeafMax = cpuid::kHypervisorFirst + 0x10;
inline constexpr char kHypervisorSignature[13] = "Archelon/VMX";
inline constexpr std::uint32_t kMaxBasicLeaf = 0x1f;
inline constexpr std::uint32_t kMaxExtendedLeaf = cpuid::kAddressSizes;

// The rate of the core crystal clock that L1 is told of in leaf 15H, in Hz: the TSC's own, or a
// whole part of it where that does not fit into the leaf. The emulated LAPIC timer must run at it,
// since that is what it means (SDM vol. 3A, "APIC Timer").
[[nodiscard]] constexpr std::uint64_t guest_crystal_hz(std::uint64_t tsc_hz) {
  return tsc_hz / (tsc_hz / (std::uint64_t{1} << 32) + 1);
}

// A VM's table: filled once, read at each CPUID exit.
class CpuidTable {
 public:
  // Asks the hardware for all leaves. The table's answers do not change afterwards.
  template <CpuidSource H>
  void build(H&& hardware, const CpuidOptions& options) {
    begin(hardware(cpuid::kVendor, 0), hardware(cpuid::kExtendedMax, 0), options);
    for (std::uint32_t leaf = 0; leaf <= max_basic_; ++leaf) {
      for (std::uint32_t subleaf = 0; subleaf < subleaves(leaf); ++subleaf) {
        const bool exists = leaf <= hardware_max_basic_;
        add(leaf, subleaf, exists ? hardware(leaf, subleaf) : CpuidResult{});
      }
    }
    for (std::uint32_t leaf = cpuid::kExtendedMax; leaf <= max_extended_; ++leaf) {
      add(leaf, 0, hardware(leaf, 0));
    }
  }

  // What CPUID with EAX = `leaf` and ECX = `subleaf` answers on a vCPU in that state. A leaf that
  // does not exist answers as the highest basic leaf does (SDM vol. 2A, "CPUID").
  [[nodiscard]] CpuidResult read(std::uint32_t leaf, std::uint32_t subleaf,
                                 const CpuidState& state) const;

  // Of a feature that is in no vCPU's state.
  [[nodiscard]] bool has_1_ecx(std::uint32_t bits) const { return (at(1, 0).ecx & bits) == bits; }
  [[nodiscard]] bool has_1_edx(std::uint32_t bits) const { return (at(1, 0).edx & bits) == bits; }
  [[nodiscard]] bool has_7_ebx(std::uint32_t bits) const { return (at(7, 0).ebx & bits) == bits; }
  [[nodiscard]] bool has_7_ecx(std::uint32_t bits) const { return (at(7, 0).ecx & bits) == bits; }
  [[nodiscard]] bool has_7_edx(std::uint32_t bits) const { return (at(7, 0).edx & bits) == bits; }
  [[nodiscard]] bool has_xsaves() const { return (at(0xd, 1).eax & cpuid::kXsave1EaxXsaves) != 0; }
  [[nodiscard]] bool has_rdtscp() const {
    return (at(cpuid::kExtendedFeatures, 0).edx & cpuid::kExt1EdxRdtscp) != 0;
  }
  [[nodiscard]] bool has_rdpid() const { return has_7_ecx(cpuid::k7EcxRdpid); }

  // XCR0 bits that XSETBV accepts; 0 where there is no XSAVE.
  [[nodiscard]] std::uint64_t xcr0() const;
  // CR4 bits that a guest may set: those of the features that it sees.
  [[nodiscard]] std::uint64_t cr4() const;
  [[nodiscard]] unsigned physical_bits() const {
    return cpuid::physical_bits(at(cpuid::kAddressSizes, 0));
  }

 private:
  static constexpr std::size_t kMaxEntries = 96;

  void begin(const CpuidResult& basic, const CpuidResult& extended, const CpuidOptions& options);
  static std::uint32_t subleaves(std::uint32_t leaf);
  void add(std::uint32_t leaf, std::uint32_t subleaf, const CpuidResult& hardware);
  [[nodiscard]] CpuidResult filter(std::uint32_t leaf, std::uint32_t subleaf,
                                   const CpuidResult& hardware) const;
  [[nodiscard]] CpuidResult flags(std::uint32_t leaf, std::uint32_t subleaf,
                                  const CpuidResult& hardware) const;
  [[nodiscard]] bool option(std::string_view name) const;
  [[nodiscard]] CpuidResult cache(const CpuidResult& hardware) const;
  [[nodiscard]] CpuidResult topology(std::uint32_t subleaf, std::uint32_t apic_id) const;
  [[nodiscard]] CpuidResult hypervisor(std::uint32_t leaf) const;
  [[nodiscard]] CpuidResult at(std::uint32_t leaf, std::uint32_t subleaf) const;
  [[nodiscard]] unsigned id_bits() const;

  CpuidOptions options_{};
  std::uint32_t hardware_max_basic_ = 0;
  std::uint32_t max_basic_ = 0;
  std::uint32_t max_extended_ = 0;
  // Where a leaf's subleaf 0 is in entries_; the further ones follow it.
  std::array<std::uint8_t, kMaxBasicLeaf + 2> basic_{};
  std::array<std::uint8_t, kMaxExtendedLeaf - cpuid::kExtendedMax + 2> extended_{};
  StaticVector<CpuidResult, kMaxEntries> entries_;
};

}  // namespace archelon::arch
