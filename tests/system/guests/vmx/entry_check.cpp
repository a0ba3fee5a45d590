#include "vmx/entry_check.hpp"

#include "runtime/cpu.hpp"

namespace guest::vmx {

bool offered(const Options& o) {
  const std::uint32_t proc2 = o.proc2 | (o.ept_pointer != 0 ? proc2::kEpt : 0);
  return offers(msr::kVmxPinbased, o.pin) && offers(msr::kVmxProcbased, o.proc) &&
         offers(msr::kVmxExit, o.exit) && offers(msr::kVmxEntry, o.entry) &&
         (proc2 == 0 || offers_proc2(proc2));
}

void enter_and_report(Vcpu& vcpu, void (*code)()) {
  Exit exit;
  const Outcome outcome = try_run(vcpu, exit);
  if (!outcome.ok()) {
    line(outcome);
    return;
  }
  if ((exit.reason & reason::kEntryFailure) == 0) {
    if (exit.reason == reason::kVmcall &&
        read(Field::kGuestRip) == reinterpret_cast<std::uint64_t>(code)) {
      line("entered");
      return;
    }
    put("entered, ");
  }
  put_exit(exit);
  line();
}

}  // namespace guest::vmx
