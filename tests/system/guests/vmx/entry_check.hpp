// One VM entry with a spoiled VMCS, and a line about what came of it.
#pragma once

#include "vmx/vcpu.hpp"

namespace guest::vmx {

// True if the capability MSRs offer all of it.
bool offered(const Options& options);

// Enters the current VMCS once and prints the outcome. L2's code is one VMCALL.
void enter_and_report(Vcpu& vcpu, void (*code)());

// Prints "NAME: OUTCOME" for a good VMCS with spoil's change.
template <typename Spoil>
void check_entry(Vcpu& vcpu, void (*code)(), const char* name, const Options& options,
                 Spoil spoil) {
  put(name);
  put(": ");
  if (!offered(options)) {
    line("not offered");
    return;
  }
  set_up(vcpu, code, options);
  spoil();
  enter_and_report(vcpu, code);
}

}  // namespace guest::vmx
