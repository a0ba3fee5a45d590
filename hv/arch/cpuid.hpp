#pragma once

#include <cstdint>

#include "hv/base/bits.hpp"

// CPUID: leaves and the feature bits that L0 looks at or passes on. SDM vol. 2A, "CPUID".
namespace archelon::arch {

struct CpuidResult {
  std::uint32_t eax = 0;
  std::uint32_t ebx = 0;
  std::uint32_t ecx = 0;
  std::uint32_t edx = 0;
  constexpr bool operator==(const CpuidResult&) const = default;
};

namespace cpuid {

inline constexpr std::uint32_t kVendor = 0x0;
inline constexpr std::uint32_t kFeatures = 0x1;
inline constexpr std::uint32_t kCacheDescriptors = 0x2;
inline constexpr std::uint32_t kCacheParameters = 0x4;
inline constexpr std::uint32_t kMonitor = 0x5;
inline constexpr std::uint32_t kPower = 0x6;
inline constexpr std::uint32_t kStructuredFeatures = 0x7;
inline constexpr std::uint32_t kPerfmon = 0xa;
inline constexpr std::uint32_t kTopology = 0xb;
inline constexpr std::uint32_t kXsave = 0xd;
inline constexpr std::uint32_t kRdtMonitoring = 0xf;
inline constexpr std::uint32_t kRdtAllocation = 0x10;
inline constexpr std::uint32_t kSgx = 0x12;
inline constexpr std::uint32_t kProcessorTrace = 0x14;
inline constexpr std::uint32_t kTscFrequency = 0x15;
inline constexpr std::uint32_t kProcessorFrequency = 0x16;
inline constexpr std::uint32_t kTopologyV2 = 0x1f;
inline constexpr std::uint32_t kHypervisorFirst = 0x40000000;
inline constexpr std::uint32_t kHypervisorLast = 0x4fffffff;
inline constexpr std::uint32_t kExtendedMax = 0x80000000;
inline constexpr std::uint32_t kExtendedFeatures = 0x80000001;
inline constexpr std::uint32_t kBrandFirst = 0x80000002;
inline constexpr std::uint32_t kBrandLast = 0x80000004;
inline constexpr std::uint32_t kInvariantTsc = 0x80000007;
inline constexpr std::uint32_t kAddressSizes = 0x80000008;

constexpr std::uint32_t bit32(unsigned n) {
  return std::uint32_t{1} << n;
}

// Leaf 1, ECX.
inline constexpr std::uint32_t k1EcxSse3 = bit32(0);
inline constexpr std::uint32_t k1EcxDtes64 = bit32(2);
inline constexpr std::uint32_t k1EcxMonitor = bit32(3);
inline constexpr std::uint32_t k1EcxDsCpl = bit32(4);
inline constexpr std::uint32_t k1EcxVmx = bit32(5);
inline constexpr std::uint32_t k1EcxSmx = bit32(6);
inline constexpr std::uint32_t k1EcxEst = bit32(7);
inline constexpr std::uint32_t k1EcxTm2 = bit32(8);
inline constexpr std::uint32_t k1EcxSdbg = bit32(11);
inline constexpr std::uint32_t k1EcxXtpr = bit32(14);
inline constexpr std::uint32_t k1EcxPdcm = bit32(15);
inline constexpr std::uint32_t k1EcxPcid = bit32(17);
inline constexpr std::uint32_t k1EcxDca = bit32(18);
inline constexpr std::uint32_t k1EcxX2apic = bit32(21);
inline constexpr std::uint32_t k1EcxTscDeadline = bit32(24);
inline constexpr std::uint32_t k1EcxXsave = bit32(26);
inline constexpr std::uint32_t k1EcxOsxsave = bit32(27);
inline constexpr std::uint32_t k1EcxRdrand = bit32(30);
inline constexpr std::uint32_t k1EcxHypervisor = bit32(31);

// Leaf 1, EDX.
inline constexpr std::uint32_t k1EdxVme = bit32(1);
inline constexpr std::uint32_t k1EdxDe = bit32(2);
inline constexpr std::uint32_t k1EdxPse = bit32(3);
inline constexpr std::uint32_t k1EdxTsc = bit32(4);
inline constexpr std::uint32_t k1EdxMsr = bit32(5);
inline constexpr std::uint32_t k1EdxPae = bit32(6);
inline constexpr std::uint32_t k1EdxMce = bit32(7);
inline constexpr std::uint32_t k1EdxApic = bit32(9);
inline constexpr std::uint32_t k1EdxSep = bit32(11);
inline constexpr std::uint32_t k1EdxMtrr = bit32(12);
inline constexpr std::uint32_t k1EdxPge = bit32(13);
inline constexpr std::uint32_t k1EdxMca = bit32(14);
inline constexpr std::uint32_t k1EdxPat = bit32(16);
inline constexpr std::uint32_t k1EdxDs = bit32(21);
inline constexpr std::uint32_t k1EdxAcpi = bit32(22);
inline constexpr std::uint32_t k1EdxFxsr = bit32(24);
inline constexpr std::uint32_t k1EdxSse = bit32(25);
inline constexpr std::uint32_t k1EdxSs = bit32(27);
inline constexpr std::uint32_t k1EdxHtt = bit32(28);
inline constexpr std::uint32_t k1EdxTm = bit32(29);
inline constexpr std::uint32_t k1EdxPbe = bit32(31);

// Leaf 7, subleaf 0, EBX.
inline constexpr std::uint32_t k7EbxFsgsbase = bit32(0);
inline constexpr std::uint32_t k7EbxTscAdjust = bit32(1);
inline constexpr std::uint32_t k7EbxSgx = bit32(2);
inline constexpr std::uint32_t k7EbxHle = bit32(4);
inline constexpr std::uint32_t k7EbxSmep = bit32(7);
inline constexpr std::uint32_t k7EbxInvpcid = bit32(10);
inline constexpr std::uint32_t k7EbxRtm = bit32(11);
inline constexpr std::uint32_t k7EbxRdtMonitoring = bit32(12);
inline constexpr std::uint32_t k7EbxMpx = bit32(14);
inline constexpr std::uint32_t k7EbxRdtAllocation = bit32(15);
inline constexpr std::uint32_t k7EbxRdseed = bit32(18);
inline constexpr std::uint32_t k7EbxSmap = bit32(20);
inline constexpr std::uint32_t k7EbxProcessorTrace = bit32(25);

// Leaf 7, subleaf 0, ECX.
inline constexpr std::uint32_t k7EcxUmip = bit32(2);
inline constexpr std::uint32_t k7EcxPku = bit32(3);
inline constexpr std::uint32_t k7EcxOspke = bit32(4);
inline constexpr std::uint32_t k7EcxWaitpkg = bit32(5);
inline constexpr std::uint32_t k7EcxCetSs = bit32(7);
inline constexpr std::uint32_t k7EcxTme = bit32(13);
inline constexpr std::uint32_t k7EcxLa57 = bit32(16);
inline constexpr std::uint32_t k7EcxRdpid = bit32(22);
inline constexpr std::uint32_t k7EcxKl = bit32(23);
inline constexpr std::uint32_t k7EcxBusLockDetect = bit32(24);
inline constexpr std::uint32_t k7EcxEnqcmd = bit32(29);
inline constexpr std::uint32_t k7EcxSgxLc = bit32(30);
inline constexpr std::uint32_t k7EcxPks = bit32(31);

// Leaf 7, subleaf 0, EDX.
inline constexpr std::uint32_t k7EdxUintr = bit32(5);
inline constexpr std::uint32_t k7EdxMdClear = bit32(10);
inline constexpr std::uint32_t k7EdxPconfig = bit32(18);
inline constexpr std::uint32_t k7EdxArchLbr = bit32(19);
inline constexpr std::uint32_t k7EdxCetIbt = bit32(20);
inline constexpr std::uint32_t k7EdxIbrs = bit32(26);
inline constexpr std::uint32_t k7EdxStibp = bit32(27);
inline constexpr std::uint32_t k7EdxL1dFlush = bit32(28);
inline constexpr std::uint32_t k7EdxArchCapabilities = bit32(29);
inline constexpr std::uint32_t k7EdxCoreCapabilities = bit32(30);
inline constexpr std::uint32_t k7EdxSsbd = bit32(31);

// Leaf 0DH, subleaf 1, EAX.
inline constexpr std::uint32_t kXsave1EaxXsaveopt = bit32(0);
inline constexpr std::uint32_t kXsave1EaxXsavec = bit32(1);
inline constexpr std::uint32_t kXsave1EaxXgetbv1 = bit32(2);
inline constexpr std::uint32_t kXsave1EaxXsaves = bit32(3);
inline constexpr std::uint32_t kXsave1EaxXfd = bit32(4);

// Leaf 80000001H.
inline constexpr std::uint32_t kExt1EdxSyscall = bit32(11);
inline constexpr std::uint32_t kExt1EdxNx = bit32(20);
inline constexpr std::uint32_t kExt1EdxPage1g = bit32(26);
inline constexpr std::uint32_t kExt1EdxRdtscp = bit32(27);
inline constexpr std::uint32_t kExt1EdxLm = bit32(29);

// Leaf 80000007H, EDX.
inline constexpr std::uint32_t kInvariantTscEdx = bit32(8);

// Leaf 80000008H: physical and linear address widths.
[[nodiscard]] constexpr unsigned physical_bits(const CpuidResult& sizes) {
  return static_cast<unsigned>(bit_field(sizes.eax, 7, 0));
}
[[nodiscard]] constexpr unsigned linear_bits(const CpuidResult& sizes) {
  return static_cast<unsigned>(bit_field(sizes.eax, 15, 8));
}

}  // namespace cpuid
}  // namespace archelon::arch
