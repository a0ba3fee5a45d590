#pragma once

#include <cstdint>

namespace archelon::hv {

class Vcpu;

// Makes this CPU forget the linear and combined translations of the guest that runs on `vcpu`
// (INVVPID of its VPID; without VPID every entry and exit does it).
void flush_guest_translations(Vcpu& vcpu);
// The same for one VPID.
void flush_vpid(std::uint16_t vpid);

// Makes this CPU forget what it holds of one EPT, or of all.
void flush_ept(std::uint64_t eptp);
void flush_all_ept();

}  // namespace archelon::hv
