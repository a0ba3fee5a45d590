#include "vmx/fields.hpp"

namespace guest::vmx {

const char* reason_name(std::uint32_t reason) {
  switch (reason & 0xffff) {
    case reason::kException:
      return "exception-or-nmi";
    case reason::kExternalInterrupt:
      return "external-interrupt";
    case reason::kTripleFault:
      return "triple-fault";
    case reason::kInterruptWindow:
      return "interrupt-window";
    case reason::kNmiWindow:
      return "nmi-window";
    case reason::kCpuid:
      return "cpuid";
    case reason::kHlt:
      return "hlt";
    case reason::kInvlpg:
      return "invlpg";
    case reason::kRdtsc:
      return "rdtsc";
    case reason::kVmcall:
      return "vmcall";
    case 19 ... 27:
      return "vmx-instruction";
    case reason::kCrAccess:
      return "cr-access";
    case reason::kDrAccess:
      return "dr-access";
    case reason::kIo:
      return "io";
    case reason::kRdmsr:
      return "rdmsr";
    case reason::kWrmsr:
      return "wrmsr";
    case reason::kInvalidGuestState:
      return "invalid-guest-state";
    case reason::kMsrLoading:
      return "msr-loading";
    case reason::kTprBelowThreshold:
      return "tpr-below-threshold";
    case reason::kEptViolation:
      return "ept-violation";
    case reason::kEptMisconfiguration:
      return "ept-misconfiguration";
    case reason::kPreemptionTimer:
      return "preemption-timer";
    default:
      return "other";
  }
}

}  // namespace guest::vmx
