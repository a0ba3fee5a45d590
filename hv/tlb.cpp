#include "hv/tlb.hpp"

#include "hv/system.hpp"
#include "hv/vcpu.hpp"

namespace archelon::hv {

using namespace vmx;

void flush_vpid(std::uint16_t vpid) {
  const Capabilities& caps = system().capabilities;
  if (vpid == 0 || !caps.has_ept_vpid(ept_vpid::kInvvpid)) {
    return;
  }
  const bool single = caps.has_ept_vpid(ept_vpid::kInvvpidSingle);
  ARCHELON_ASSERT(native::invvpid(single ? native::InvvpidType::kSingleContext
                                     : native::InvvpidType::kAllContexts,
                              vpid, Gva()) == native::Outcome::kSucceed);
}

void flush_guest_translations(Vcpu& vcpu) {
  if ((system().l0_secondary & secondary::kEnableVpid) != 0) {
    flush_vpid(vcpu.vmcs().read(fields::kVpid));
  }
}

void flush_ept(std::uint64_t eptp) {
  const bool single = system().capabilities.has_ept_vpid(ept_vpid::kInveptSingle);
  ARCHELON_ASSERT(native::invept(single ? native::InveptType::kSingleContext : native::InveptType::kAllContexts,
                             eptp) == native::Outcome::kSucceed);
}

void flush_all_ept() {
  const bool all = system().capabilities.has_ept_vpid(ept_vpid::kInveptAll);
  if (all) {
    ARCHELON_ASSERT(native::invept(native::InveptType::kAllContexts, 0) == native::Outcome::kSucceed);
  }
}

}  // namespace archelon::hv
