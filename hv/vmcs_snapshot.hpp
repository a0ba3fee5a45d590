#pragma once

#include <cstdint>

#include "hv/base/address.hpp"
#include "hv/shell/command.hpp"
#include "hv/shell/vmcs_report.hpp"

// A vCPU's VMCS for the shell. A VMCS can be read only on the CPU where it is active, so the vCPU's
// own CPU takes the snapshot between two runs of the guest, and the boot CPU does not wait for it.
namespace archelon::hv {

class Vcpu;

struct VmcsCopy {
  enum class Outcome : std::uint8_t {
    kTaken,
    kNeverRan,
    kNoVmcs12,  // L1 has no current VMCS
    kNoVmcs02,  // L1's current VMCS has not been entered yet
    kNoAnswer,  // in time
  };

  Outcome outcome = Outcome::kNoAnswer;
  shell::VmcsLevel level = shell::VmcsLevel::k01;  // never kRunning
  Gpa1 region12;                                   // 12 and 02: L1's region
  shell::VmcsSnapshot fields;
};

// Boot CPU: asks for one VMCS of a vCPU. False while another request is open.
[[nodiscard]] bool request_snapshot(Vcpu& vcpu, shell::VmcsLevel level);
// Boot CPU: the answer, valid until the next request; nullptr until there is one, or the time is
// up.
[[nodiscard]] const VmcsCopy* poll_snapshot();

// The vCPU's CPU, upon work::kSnapshot. Its VMCS stays the current one.
void answer_snapshot(Vcpu& vcpu);

}  // namespace archelon::hv
