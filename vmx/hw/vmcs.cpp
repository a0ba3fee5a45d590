#include "vmx/hw/vmcs.hpp"

#include <array>
#include <cstring>

#include "hv/base/assert.hpp"
#include "hv/base/log.hpp"
#include "hv/hw/cpu.hpp"
#include "hv/hw/direct_map.hpp"

namespace archelon::vmx::native {
namespace {

// The region that is current on each CPU; ~0 for none. Only its own CPU touches an element.
constinit std::array<std::uint64_t, archelon::hw::kMaxCpus> g_current = [] {
  std::array<std::uint64_t, archelon::hw::kMaxCpus> none{};
  none.fill(~std::uint64_t{0});
  return none;
}();

std::uint64_t& current() { return g_current[archelon::hw::this_cpu().index]; }

}  // namespace

void access_failed(const char* what, std::uint32_t encoding) {
  log_error("{} of {} ({:#x}) failed", what, field_name(encoding), encoding);
  assertion_failed("L0 reads and writes only VMCS fields that the CPU has", __FILE__, __LINE__);
}

void forget_current() { current() = ~std::uint64_t{0}; }

void Vmcs::attach(Hpa region, std::uint32_t revision) {
  region_ = region;
  attached_ = true;
  std::memcpy(reinterpret_cast<void*>(archelon::hw::to_hva(region).value()), &revision,
              sizeof(revision));
  clear();
}

void Vmcs::clear() {
  ARCHELON_ASSERT(attached_);
  ARCHELON_ASSERT(vmclear(region_) == Outcome::kSucceed);
  launched_ = false;
  host_rsp_ = 0;
  if (current() == region_.value()) {
    forget_current();
  }
}

void Vmcs::make_current() {
  if (current() != region_.value()) {
    ARCHELON_ASSERT(vmptrld(region_) == Outcome::kSucceed);
    current() = region_.value();
  }
}

Outcome Vmcs::enter(arch::Gprs& gprs) {
  launched_before_ = launched_;
  const unsigned result = archelon_vmx_enter(&gprs, launched_, &host_rsp_);
  if (result == 0) {
    launched_ = true;
    return Outcome::kSucceed;
  }
  return result == 1 ? Outcome::kFailInvalid : Outcome::kFailValid;
}

}  // namespace archelon::vmx::native
