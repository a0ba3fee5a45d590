#pragma once

#include "hv/arch/msr.hpp"
#include "vmx/capabilities.hpp"

namespace archelon::test {

// The capability MSRs of a server CPU of the Skylake generation with everything that the engine
// uses; tests take bits away from it.
inline vmx::Capabilities machine_capabilities() {
  namespace msr = arch::msr;
  vmx::Capabilities caps;
  caps[msr::kVmxBasic] = 0x00da040000000004;
  caps[msr::kVmxPinbasedCtls] = 0x000000ff00000016;
  caps[msr::kVmxProcbasedCtls] = 0xfff9fffe0401e172;
  caps[msr::kVmxExitCtls] = 0x01ffffff00036dff;
  caps[msr::kVmxEntryCtls] = 0x0003ffff000011ff;
  caps[msr::kVmxMisc] = 0x000000007004c1e7;
  caps[msr::kVmxCr0Fixed0] = 0x80000021;
  caps[msr::kVmxCr0Fixed1] = 0xffffffff;
  caps[msr::kVmxCr4Fixed0] = 0x2000;
  caps[msr::kVmxCr4Fixed1] = 0x3767ff;
  caps[msr::kVmxVmcsEnum] = 0x2e;
  caps[msr::kVmxProcbasedCtls2] = 0x035fffff00000000;
  caps[msr::kVmxEptVpidCap] = 0x00000f0106734141;
  caps[msr::kVmxTruePinbasedCtls] = 0x000000ff00000016;
  caps[msr::kVmxTrueProcbasedCtls] = 0xfff9fffe04006172;
  caps[msr::kVmxTrueExitCtls] = 0x01ffffff00036dfb;
  caps[msr::kVmxTrueEntryCtls] = 0x0003ffff000011fb;
  caps[msr::kVmxVmfunc] = 0x1;
  return caps;
}

// Takes a control away from every MSR that offers it.
inline void take_away(vmx::Capabilities& caps, vmx::ControlWord word, std::uint64_t mask) {
  namespace msr = arch::msr;
  const auto clear = [&caps, mask](std::uint32_t index) { caps[index] &= ~(mask << 32); };
  switch (word) {
    case vmx::ControlWord::kPin:
      clear(msr::kVmxPinbasedCtls);
      clear(msr::kVmxTruePinbasedCtls);
      break;
    case vmx::ControlWord::kPrimary:
      clear(msr::kVmxProcbasedCtls);
      clear(msr::kVmxTrueProcbasedCtls);
      break;
    case vmx::ControlWord::kSecondary:
      clear(msr::kVmxProcbasedCtls2);
      break;
    case vmx::ControlWord::kTertiary:
      caps[msr::kVmxProcbasedCtls3] &= ~mask;
      break;
    case vmx::ControlWord::kExit:
      clear(msr::kVmxExitCtls);
      clear(msr::kVmxTrueExitCtls);
      break;
    case vmx::ControlWord::kEntry:
      clear(msr::kVmxEntryCtls);
      clear(msr::kVmxTrueEntryCtls);
      break;
  }
}

}  // namespace archelon::test
