#include "hv/arch/cpuid_policy.hpp"

#include <algorithm>

#include "hv/arch/cpuid_features.hpp"
#include "hv/arch/cr.hpp"
#include "hv/arch/xsave.hpp"
#include "hv/base/bits.hpp"

namespace archelon::arch {
namespace {

using namespace cpuid;

// State components that L0 keeps apart for each vCPU. Not bound registers and AMX tiles.
constexpr std::uint64_t kXcr0Offered =
    xcr0::kX87 | xcr0::kSse | xcr0::kAvx | xcr0::kAvx512 | xcr0::kPkru;
constexpr std::uint32_t kXsaveSubleaves = 10;  // 0, 1 and the components up to PKRU

constexpr std::uint32_t kCacheSubleaves = 8;
constexpr std::uint32_t kTlbParameters = 0x18;
constexpr std::uint32_t kTlbSubleaves = 16;
// Leaves up to here exist on every VM: 15H and 16H carry the TSC's rate.
constexpr std::uint32_t kMinBasicLeaf = kProcessorFrequency;

constexpr std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}

std::uint32_t& select(CpuidResult& result, CpuidRegister reg) {
  switch (reg) {
    case CpuidRegister::kEax:
      return result.eax;
    case CpuidRegister::kEbx:
      return result.ebx;
    case CpuidRegister::kEcx:
      return result.ecx;
    case CpuidRegister::kEdx:
      break;
  }
  return result.edx;
}

}  // namespace

void CpuidTable::begin(const CpuidResult& basic, const CpuidResult& extended,
                       const CpuidOptions& options) {
  options_ = options;
  hardware_max_basic_ = basic.eax;
  max_basic_ = std::clamp(basic.eax, kMinBasicLeaf, kMaxBasicLeaf);
  max_extended_ = std::clamp(extended.eax, kExtendedMax, kMaxExtendedLeaf);
  entries_.clear();
}

// How many subleaves of a leaf are kept.
std::uint32_t CpuidTable::subleaves(std::uint32_t leaf) {
  switch (leaf) {
    case kCacheParameters:
      return kCacheSubleaves;
    case kStructuredFeatures:
      return 3;
    case kXsave:
      return kXsaveSubleaves;
    case kTlbParameters:
      return kTlbSubleaves;
    default:
      return 1;
  }
}

void CpuidTable::add(std::uint32_t leaf, std::uint32_t subleaf, const CpuidResult& hardware) {
  const auto place = static_cast<std::uint8_t>(entries_.size());
  if (entries_.push_back(filter(leaf, subleaf, hardware))) {
    // The leaf's first entry, and the end of its entries.
    const bool is_basic = leaf <= kMaxBasicLeaf;
    std::uint8_t* first = is_basic ? &basic_[leaf] : &extended_[leaf - kExtendedMax];
    first[0] = subleaf == 0 ? place : first[0];
    first[1] = static_cast<std::uint8_t>(place + 1);
  }
}

bool CpuidTable::option(std::string_view name) const {
  if (name == "vmx") {
    return options_.vmx;
  }
  if (name == "htt") {
    return options_.cpus > 1;
  }
  if (name == "invpcid") {
    return options_.enable_invpcid;
  }
  if (name == "xsavec") {
    return options_.enable_xsavec;
  }
  if (name == "xsaves") {
    return options_.enable_xsaves && options_.enable_xsavec;
  }
  return options_.enable_rdtscp;  // rdtscp, rdpid
}

// Only the feature flags of a leaf, each by its policy. Dynamic ones are there if they can be.
CpuidResult CpuidTable::flags(std::uint32_t leaf, std::uint32_t subleaf,
                              const CpuidResult& hardware) const {
  CpuidResult from = hardware;
  CpuidResult result;
  for (const CpuidFeature& f : cpuid_features()) {
    if (f.leaf != leaf || f.subleaf != subleaf) {
      continue;
    }
    const std::uint32_t mask = bit32(f.bit);
    bool offered = (select(from, f.reg) & mask) != 0;
    switch (f.policy) {
      case FeaturePolicy::kPass:
        break;
      case FeaturePolicy::kEmulate:
      case FeaturePolicy::kDynamic:
        offered = true;
        break;
      case FeaturePolicy::kOption:
        offered = (offered || f.name == "htt") && option(f.name);
        break;
      case FeaturePolicy::kHide:
        offered = false;
        break;
    }
    select(result, f.reg) |= offered ? mask : 0;
  }
  return result;
}

CpuidResult CpuidTable::filter(std::uint32_t leaf, std::uint32_t subleaf,
                               const CpuidResult& hardware) const {
  CpuidResult r = flags(leaf, subleaf, hardware);
  switch (leaf) {
    case kVendor:
      return {max_basic_, hardware.ebx, hardware.ecx, hardware.edx};
    case kFeatures: {
      r.eax = hardware.eax;
      // Brand index and CLFLUSH size; the number of IDs that the package takes.
      const std::uint32_t ids = std::min(1U << id_bits(), 255U);
      r.ebx = (hardware.ebx & 0xffff) | ids << 16;
      return r;
    }
    case kCacheDescriptors:
    case kTlbParameters:
    case kBrandFirst:
    case kBrandFirst + 1:
    case kBrandLast:
    case 0x80000006:  // L2 cache
      return hardware;
    case kCacheParameters:
      return cache(hardware);
    case kStructuredFeatures:
      if (subleaf == 0) {
        r.eax = std::min(hardware.eax, 2U);
      }
      return r;
    case kXsave: {
      constexpr std::uint32_t kFirstComponent = 2;
      if (subleaf == 0) {
        return {low(hardware.eax & kXcr0Offered), 0, 0, 0};
      }
      const bool component = subleaf >= kFirstComponent && (kXcr0Offered & bit(subleaf)) != 0;
      return component ? hardware : r;
    }
    case kTscFrequency: {
      const std::uint64_t crystal = guest_crystal_hz(options_.tsc_hz);
      return crystal == 0 ? r : CpuidResult{1, low(options_.tsc_hz / crystal), low(crystal), 0};
    }
    case kProcessorFrequency: {
      const std::uint32_t mhz = low(std::min<std::uint64_t>(options_.tsc_hz / 1'000'000, 0xffff));
      return {mhz, mhz, mhz == 0 ? 0U : 100U, 0};
    }
    case kExtendedMax:
      return {max_extended_, 0, 0, 0};
    case kAddressSizes: {
      constexpr std::uint32_t kLinearBits = 48;  // no LA57
      r.eax = (hardware.eax & 0xff) | kLinearBits << 8;
      return r;
    }
    default:
      return r;  // flags alone, or nothing
  }
}

// Deterministic cache parameters: each vCPU is a core with its own L1 and L2, and all share the L3.
CpuidResult CpuidTable::cache(const CpuidResult& hardware) const {
  constexpr std::uint32_t kSharing = 0xfff, kSharingShift = 14, kCores = 0x3f, kCoresShift = 26;
  if ((hardware.eax & 0x1f) == 0) {
    return {};
  }
  const std::uint32_t level = (hardware.eax >> 5) & 7;
  const std::uint32_t ids = (1U << id_bits()) - 1;
  CpuidResult r = hardware;
  r.eax &= (1U << kSharingShift) - 1;
  r.eax |= (level >= 3 ? std::min(ids, kSharing) : 0) << kSharingShift;
  r.eax |= std::min(ids, kCores) << kCoresShift;
  return r;
}

// Bits of the APIC ID that number the CPUs of the package.
unsigned CpuidTable::id_bits() const {
  unsigned bits = 0;
  while ((1U << bits) < options_.cpus && bits < 31) {
    ++bits;
  }
  return bits;
}

// Extended topology: one thread per core, all cores in one package.
CpuidResult CpuidTable::topology(std::uint32_t subleaf, std::uint32_t apic_id) const {
  constexpr std::uint32_t kSmt = 1U << 8, kCore = 2U << 8;
  switch (subleaf) {
    case 0:
      return {0, 1, kSmt, apic_id};
    case 1:
      return {id_bits(), options_.cpus, kCore | 1, apic_id};
    default:
      return {0, 0, subleaf & 0xff, apic_id};
  }
}

CpuidResult CpuidTable::hypervisor(std::uint32_t leaf) const {
  const auto part = [](unsigned at) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) {
      value |= static_cast<std::uint32_t>(static_cast<unsigned char>(kHypervisorSignature[at + i]))
               << (8 * i);
    }
    return value;
  };
  if (leaf == kHypervisorFirst) {
    return {kHypervisorLeafMax, part(0), part(4), part(8)};
  }
  if (leaf == kHypervisorLeafMax) {  // rates of the TSC and the LAPIC timer in kHz
    return {low(options_.tsc_hz / 1000), low(guest_crystal_hz(options_.tsc_hz) / 1000), 0, 0};
  }
  return {};
}

CpuidResult CpuidTable::at(std::uint32_t leaf, std::uint32_t subleaf) const {
  const bool is_basic = leaf <= max_basic_;
  if (!is_basic && (leaf < kExtendedMax || leaf > max_extended_)) {
    return {};
  }
  const std::uint8_t* first = is_basic ? &basic_[leaf] : &extended_[leaf - kExtendedMax];
  // Leaves with one entry do not look at the subleaf.
  const std::uint32_t count = is_basic ? subleaves(leaf) : 1;
  if (count == 1) {
    return entries_[first[0]];
  }
  return subleaf < count ? entries_[first[0] + subleaf] : CpuidResult{};
}

std::uint64_t CpuidTable::xcr0() const {
  return has_1_ecx(k1EcxXsave) ? at(kXsave, 0).eax : 0;
}

std::uint64_t CpuidTable::cr4() const {
  std::uint64_t bits = cr4::kTsd | cr4::kPce;
  const auto allow = [&bits](bool has, std::uint64_t mask) { bits |= has ? mask : 0; };
  allow(has_1_edx(k1EdxVme), cr4::kVme | cr4::kPvi);
  allow(has_1_edx(k1EdxDe), cr4::kDe);
  allow(has_1_edx(k1EdxPse), cr4::kPse);
  allow(has_1_edx(k1EdxPae), cr4::kPae);
  allow(has_1_edx(k1EdxMce), cr4::kMce);
  allow(has_1_edx(k1EdxPge), cr4::kPge);
  allow(has_1_edx(k1EdxFxsr), cr4::kOsfxsr);
  allow(has_1_edx(k1EdxSse), cr4::kOsxmmexcpt);
  allow(has_1_ecx(k1EcxVmx), cr4::kVmxe);
  allow(has_1_ecx(k1EcxPcid), cr4::kPcide);
  allow(has_1_ecx(k1EcxXsave), cr4::kOsxsave);
  allow(has_7_ebx(k7EbxFsgsbase), cr4::kFsgsbase);
  allow(has_7_ebx(k7EbxSmep), cr4::kSmep);
  allow(has_7_ebx(k7EbxSmap), cr4::kSmap);
  allow(has_7_ecx(k7EcxUmip), cr4::kUmip);
  allow(has_7_ecx(k7EcxPku), cr4::kPke);
  return bits;
}

CpuidResult CpuidTable::read(std::uint32_t leaf, std::uint32_t subleaf,
                             const CpuidState& state) const {
  if (leaf >= kHypervisorFirst && leaf <= kHypervisorLeafMax) {
    return hypervisor(leaf);
  }
  if (leaf > max_basic_ && (leaf < kExtendedMax || leaf > max_extended_)) {
    leaf = max_basic_;
  }
  CpuidResult r = at(leaf, subleaf);
  const auto keep_if = [](std::uint32_t& word, std::uint32_t mask, bool condition) {
    word = condition ? word : word & ~mask;
  };
  switch (leaf) {
    case kFeatures:
      r.ebx |= state.apic_id << 24;
      keep_if(r.ecx, k1EcxOsxsave, (state.cr4 & cr4::kOsxsave) != 0);
      keep_if(r.edx, k1EdxApic, state.apic_enabled);
      break;
    case kStructuredFeatures:
      if (subleaf == 0) {
        keep_if(r.ecx, k7EcxOspke, (state.cr4 & cr4::kPke) != 0);
      }
      break;
    case kTopology:
    case kTopologyV2:
      return topology(subleaf, state.apic_id);
    case kXsave: {
      if (xcr0() == 0) {
        return {};
      }
      const auto component = [this](std::uint32_t i) { return at(kXsave, i); };
      if (subleaf == 0) {
        r.ebx = standard_xsave_size(state.xcr0, component);
        r.ecx = standard_xsave_size(xcr0(), component);
      } else if (subleaf == 1 && (r.eax & (kXsave1EaxXsavec | kXsave1EaxXsaves)) != 0) {
        r.ebx = compacted_xsave_size(state.xcr0 | state.xss, component);
      }
      break;
    }
    case kExtendedFeatures:
      keep_if(r.edx, kExt1EdxSyscall, state.in_64bit_mode);
      break;
    default:
      break;
  }
  return r;
}

}  // namespace archelon::arch
