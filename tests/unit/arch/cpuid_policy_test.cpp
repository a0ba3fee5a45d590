#include "hv/arch/cpuid_policy.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "hv/arch/cpuid_features.hpp"
#include "hv/arch/cr.hpp"

using namespace archelon;
using namespace archelon::arch;
using namespace archelon::arch::cpuid;

namespace {

// A Core i7-7800X, six cores with two threads.
struct SkylakeX {
  std::map<std::pair<std::uint32_t, std::uint32_t>, CpuidResult> leaves{
      {{0x0, 0}, {0x16, 0x756e6547, 0x6c65746e, 0x49656e69}},
      {{0x1, 0}, {0x00050654, 0x00100800, 0x7ffefbbf, 0xbfebfbff}},
      {{0x2, 0}, {0x76036301, 0x00f0b5ff, 0, 0x00c30000}},
      {{0x4, 0}, {0x1c004121, 0x01c0003f, 0x3f, 0}},
      {{0x4, 1}, {0x1c004122, 0x01c0003f, 0x3f, 0}},
      {{0x4, 2}, {0x1c004143, 0x03c0003f, 0x3ff, 0}},
      {{0x4, 3}, {0x1c03c163, 0x0280003f, 0x2fff, 4}},
      {{0x5, 0}, {0x40, 0x40, 3, 0x2020}},
      {{0x6, 0}, {0x75, 2, 9, 0}},
      {{0x7, 0}, {0, 0xd39ffffb, 0, 0}},
      {{0xa, 0}, {0x07300404, 0, 0, 0x603}},
      {{0xb, 0}, {1, 2, 0x100, 0}},
      {{0xb, 1}, {4, 12, 0x201, 0}},
      {{0xd, 0}, {0xff, 0xa80, 0xa80, 0}},
      {{0xd, 1}, {0xf, 0xa00, 0x100, 0}},
      {{0xd, 2}, {0x100, 0x240, 0, 0}},
      {{0xd, 3}, {0x40, 0x3c0, 0, 0}},
      {{0xd, 4}, {0x40, 0x400, 0, 0}},
      {{0xd, 5}, {0x40, 0x440, 0, 0}},
      {{0xd, 6}, {0x200, 0x480, 0, 0}},
      {{0xd, 7}, {0x400, 0x680, 0, 0}},
      {{0xd, 8}, {0x80, 0, 1, 0}},
      {{0xd, 9}, {8, 0xa80, 0, 0}},
      {{0x14, 0}, {1, 0xf, 7, 0}},
      {{0x15, 0}, {2, 0x124, 0, 0}},
      {{0x16, 0}, {0xdac, 0xfa0, 0x64, 0}},
      {{0x80000000, 0}, {0x80000008, 0, 0, 0}},
      {{0x80000001, 0}, {0, 0, 0x121, 0x2c100800}},
      {{0x80000002, 0}, {0x65746e49, 0x2952286c, 0x726f4320, 0x4d542865}},
      {{0x80000006, 0}, {0, 0, 0x01006040, 0}},
      {{0x80000007, 0}, {0, 0, 0, 0x100}},
      {{0x80000008, 0}, {0x302e, 0, 0, 0}},
  };
  CpuidResult operator()(std::uint32_t leaf, std::uint32_t subleaf) const {
    const auto it = leaves.find({leaf, subleaf});
    return it == leaves.end() ? CpuidResult{} : it->second;
  }
};

CpuidTable table_of(const SkylakeX& hardware, const CpuidOptions& options) {
  CpuidTable table;
  table.build(hardware, options);
  return table;
}

}  // namespace

TEST_CASE("Feature flags: offered, made, hidden") {
  const CpuidTable t = table_of({}, {.cpus = 2, .tsc_hz = 100'000'000});
  const CpuidState state{.apic_id = 1, .cr4 = cr4::kOsxsave};
  const CpuidResult one = t.read(1, 0, state);
  CHECK(one.eax == 0x00050654);
  CHECK(one.ebx == 0x01020800);
  CHECK((one.ecx & k1EcxVmx) != 0);
  CHECK((one.ecx & k1EcxHypervisor) != 0);
  CHECK((one.ecx & k1EcxOsxsave) != 0);
  for (const std::uint32_t hidden : {k1EcxMonitor, k1EcxSmx, k1EcxEst, k1EcxTm2, k1EcxPdcm,
                                     k1EcxDtes64, k1EcxDsCpl, k1EcxSdbg, k1EcxDca, k1EcxXtpr}) {
    CHECK((one.ecx & hidden) == 0);
  }
  CHECK((one.edx & (k1EdxDs | k1EdxAcpi | k1EdxTm | k1EdxPbe)) == 0);
  CHECK((one.edx & (k1EdxMtrr | k1EdxPat | k1EdxPge | k1EdxApic | k1EdxHtt)) ==
        (k1EdxMtrr | k1EdxPat | k1EdxPge | k1EdxApic | k1EdxHtt));
  const CpuidResult seven = t.read(7, 0, state);
  CHECK((seven.ebx & (k7EbxMpx | k7EbxProcessorTrace | k7EbxRdtMonitoring | k7EbxRdtAllocation |
                      k7EbxSgx)) == 0);
  CHECK((seven.ebx & (k7EbxSmep | k7EbxSmap | k7EbxInvpcid | k7EbxFsgsbase | k7EbxTscAdjust)) ==
        (k7EbxSmep | k7EbxSmap | k7EbxInvpcid | k7EbxFsgsbase | k7EbxTscAdjust));
  CHECK(t.read(5, 0, state) == CpuidResult{});
  CHECK(t.read(6, 0, state) == CpuidResult{4, 0, 0, 0});
  CHECK(t.read(0xa, 0, state) == CpuidResult{});
  CHECK(t.read(0x14, 0, state) == CpuidResult{});
  CHECK(t.read(0x80000002, 0, state).eax == 0x65746e49);
  CHECK(t.read(0x80000007, 0, state).edx == 0x100);
  CHECK(t.read(0x80000008, 0, state).eax == 0x302e);
  CHECK(t.physical_bits() == 46);
}

TEST_CASE("What mirrors the vCPU's state") {
  const CpuidTable t = table_of({}, {.cpus = 1, .tsc_hz = 100'000'000});
  const CpuidResult off = t.read(1, 0, {.apic_enabled = false});
  CHECK((off.ecx & k1EcxOsxsave) == 0);
  CHECK((off.edx & (k1EdxApic | k1EdxHtt)) == 0);
  CHECK(off.ebx == 0x00010800);
  CHECK((t.read(0x80000001, 0, {.in_64bit_mode = true}).edx & kExt1EdxSyscall) != 0);
  CHECK((t.read(0x80000001, 0, {.in_64bit_mode = false}).edx & kExt1EdxSyscall) == 0);
  CHECK((t.read(7, 0, {.cr4 = cr4::kPke}).ecx & k7EcxOspke) != 0);
  CHECK((t.read(7, 0, {}).ecx & k7EcxOspke) == 0);
}

TEST_CASE("Options and L0's own controls") {
  const CpuidTable t = table_of({}, {.cpus = 1,
                                     .tsc_hz = 1,
                                     .vmx = false,
                                     .enable_rdtscp = false,
                                     .enable_invpcid = false,
                                     .enable_xsaves = false});
  CHECK_FALSE(t.has_1_ecx(k1EcxVmx));
  CHECK((t.cr4() & cr4::kVmxe) == 0);
  CHECK_FALSE(t.has_7_ebx(k7EbxInvpcid));
  CHECK_FALSE(t.has_xsaves());
  CHECK_FALSE(t.has_rdtscp());
  SkylakeX no_vmx;
  no_vmx.leaves[{1, 0}].ecx &= ~k1EcxVmx;
  CHECK_FALSE(table_of(no_vmx, {.cpus = 1, .tsc_hz = 1}).has_1_ecx(k1EcxVmx));
}

TEST_CASE("Topology: N single-threaded cores in one package, the same in each leaf") {
  for (const unsigned cpus : {1U, 2U, 3U, 8U}) {
    const CpuidTable t = table_of({}, {.cpus = cpus, .tsc_hz = 1});
    const unsigned ids = cpus == 3 ? 4 : cpus;
    const unsigned shift = cpus == 1 ? 0 : cpus == 2 ? 1 : cpus == 3 ? 2 : 3;
    CHECK(((t.read(1, 0, {}).ebx >> 16) & 0xff) == ids);
    CHECK(t.read(0xb, 0, {.apic_id = 2}) == CpuidResult{0, 1, 0x100, 2});
    CHECK(t.read(0xb, 1, {.apic_id = 2}) == CpuidResult{shift, cpus, 0x201, 2});
    CHECK(t.read(0xb, 2, {.apic_id = 2}) == CpuidResult{0, 0, 2, 2});
    CHECK(t.read(4, 0, {}).eax == (0x00000121U | (ids - 1) << 26));
    CHECK(((t.read(4, 3, {}).eax >> 14) & 0xfff) == ids - 1);
    CHECK(t.read(4, 3, {}).ecx == 0x2fff);
    CHECK(t.read(4, 4, {}) == CpuidResult{});
    CHECK(t.read(4, 100, {}) == CpuidResult{});
  }
}

TEST_CASE("XSAVE: components offered, sizes of what is enabled") {
  const CpuidTable t = table_of({}, {.cpus = 1, .tsc_hz = 1});
  CHECK(t.xcr0() == 0xe7);
  CHECK(t.read(0xd, 0, {.xcr0 = 1}) == CpuidResult{0xe7, 576, 0xa80, 0});
  CHECK(t.read(0xd, 0, {.xcr0 = 7}).ebx == 832);
  CHECK(t.read(0xd, 0, {.xcr0 = 0xe7}).ebx == 0xa80);
  CHECK(t.read(0xd, 1, {.xcr0 = 7}) == CpuidResult{0xf, 832, 0, 0});
  CHECK(t.read(0xd, 1, {.xcr0 = 0xe7}).ebx == 576 + 256 + 64 + 512 + 1024);
  CHECK(t.read(0xd, 2, {}) == CpuidResult{0x100, 0x240, 0, 0});
  CHECK(t.read(0xd, 3, {}) == CpuidResult{});  // bound registers
  CHECK(t.read(0xd, 8, {}) == CpuidResult{});  // trace state
  CHECK(t.read(0xd, 63, {}) == CpuidResult{});
  SkylakeX aligned;
  aligned.leaves[{0xd, 9}].ecx = 2;
  aligned.leaves[{0xd, 0}].eax = 0x2ff;
  const CpuidTable a = table_of(aligned, {.cpus = 1, .tsc_hz = 1});
  CHECK(a.read(0xd, 1, {.xcr0 = 0x227}).ebx == 576 + 256 + 64 + 8);  // 896 is a multiple of 64
  CHECK(a.read(0xd, 0, {.xcr0 = 0x207}).ebx == 0xa88);
  SkylakeX none;
  none.leaves[{1, 0}].ecx &= ~k1EcxXsave;
  const CpuidTable n = table_of(none, {.cpus = 1, .tsc_hz = 1});
  CHECK(n.read(0xd, 0, {}) == CpuidResult{});
  CHECK(n.xcr0() == 0);
  CHECK((n.cr4() & cr4::kOsxsave) == 0);
}

TEST_CASE("The TSC's rate, for those who ask leaf 15H and for those who ask leaf 40000010H") {
  const CpuidTable slow = table_of({}, {.cpus = 1, .tsc_hz = 100'000'123});
  CHECK(slow.read(0x15, 0, {}) == CpuidResult{1, 1, 100'000'123, 0});
  CHECK(slow.read(0x16, 0, {}) == CpuidResult{100, 100, 100, 0});
  CHECK(slow.read(0x40000010, 0, {}) == CpuidResult{100'000, 100'000, 0, 0});
  const CpuidTable fast = table_of({}, {.cpus = 1, .tsc_hz = 5'200'000'000});
  CHECK(fast.read(0x15, 0, {}) == CpuidResult{1, 2, 2'600'000'000, 0});
  CHECK(guest_crystal_hz(0xffffffff) == 0xffffffff);
  CHECK(guest_crystal_hz(0x100000000) == 0x80000000);
  CHECK(table_of({}, {.cpus = 1, .tsc_hz = 0}).read(0x15, 0, {}) == CpuidResult{});
}

TEST_CASE("Highest leaves, and leaves that are not there") {
  const CpuidTable t = table_of({}, {.cpus = 1, .tsc_hz = 100'000'000});
  CHECK(t.read(0, 0, {}) == CpuidResult{0x16, 0x756e6547, 0x6c65746e, 0x49656e69});
  CHECK(t.read(0x80000000, 0, {}).eax == 0x80000008);
  const CpuidResult highest = t.read(0x16, 0, {});
  for (const std::uint32_t leaf :
       {0x17U, 0x20U, 0x3fffffffU, 0x40000011U, 0x7fffffffU, 0x80000009U, 0xffffffffU}) {
    CHECK(t.read(leaf, 0, {}) == highest);
  }
  const CpuidResult signature = t.read(0x40000000, 0, {});
  CHECK(signature.eax == 0x40000010);
  const std::uint32_t words[] = {signature.ebx, signature.ecx, signature.edx};
  CHECK(std::string(reinterpret_cast<const char*>(words), 12) == "Archelon/VMX");
  CHECK(t.read(0x40000001, 0, {}) == CpuidResult{});

  SkylakeX old;  // a CPU from before leaf 15H
  old.leaves[{0, 0}].eax = 0xd;
  old.leaves[{0x15, 0}] = {9, 9, 9, 9};
  const CpuidTable o = table_of(old, {.cpus = 1, .tsc_hz = 100'000'000});
  CHECK(o.read(0, 0, {}).eax == 0x16);
  CHECK(o.read(0x15, 0, {}).ecx == 100'000'000);
  SkylakeX recent;
  recent.leaves[{0, 0}].eax = 0x23;
  recent.leaves[{0x1a, 0}] = {0x40000001, 0, 0, 0};
  const CpuidTable r = table_of(recent, {.cpus = 4, .tsc_hz = 1});
  CHECK(r.read(0, 0, {}).eax == 0x1f);
  CHECK(r.read(0x1f, 1, {.apic_id = 3}) == CpuidResult{2, 4, 0x201, 3});
  CHECK(r.read(0x1a, 0, {}) == CpuidResult{});
}

TEST_CASE("A CPU that says yes to everything: only flags of the list get through") {
  struct {
    CpuidResult operator()(std::uint32_t leaf, std::uint32_t) const {
      return leaf == 0x80000000 ? CpuidResult{0x80000021, 0, 0, 0}
                                : CpuidResult{~0U, ~0U, ~0U, ~0U};
    }
  } everything;
  CpuidTable t;
  t.build(everything, {.cpus = 2, .tsc_hz = 1});
  const CpuidState all{.cr4 = ~0ULL, .xcr0 = ~0ULL, .xss = ~0ULL};
  CHECK((t.read(7, 0, all).ecx & (k7EcxLa57 | k7EcxWaitpkg | k7EcxCetSs | k7EcxPks | k7EcxKl |
                                  k7EcxTme | k7EcxEnqcmd | k7EcxBusLockDetect)) == 0);
  CHECK((t.read(7, 0, all).edx &
         (k7EdxPconfig | k7EdxArchLbr | k7EdxCetIbt | k7EdxUintr | k7EdxCoreCapabilities)) == 0);
  CHECK(t.read(7, 0, all).eax == 2);
  CHECK(t.read(7, 1, all).ecx == 0);
  CHECK((t.read(7, 1, all).eax & (1U << 19 | 1U << 27 | 1U << 26)) == 0);
  CHECK(t.read(7, 3, all) == CpuidResult{});
  CHECK(t.read(0x80000008, 0, all).eax == 0x30ff);
  CHECK((t.cr4() & (cr4::kLa57 | cr4::kCet | cr4::kPks | cr4::kKl | cr4::kUintr | cr4::kSmxe)) ==
        0);
}

TEST_CASE("The feature list names each flag once, and says why where it hides one") {
  std::set<std::tuple<std::uint32_t, std::uint32_t, CpuidRegister, int>> seen;
  std::set<std::string_view> names;
  for (const CpuidFeature& f : cpuid_features()) {
    CHECK(seen.emplace(f.leaf, f.subleaf, f.reg, f.bit).second);
    CHECK(names.insert(f.name).second);
    CHECK(f.bit < 32);
    if (f.policy == FeaturePolicy::kHide) {
      CHECK_FALSE(f.why.empty());
    }
  }
}
