#include "hv/exit_report.hpp"

#include "hv/base/log.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {

vmx::ExitCounters total_exits(const Vm& vm) {
  vmx::ExitCounters sum;
  for (unsigned i = 0; i < vm.vcpu_count; ++i) {
    sum.add(vm.vcpus[i]->counters);
  }
  return sum;
}

void report_exits(const Vm& vm) {
  const vmx::ExitCounters sum = total_exits(vm);
  for (std::size_t i = 0; i < sum.l1.size(); ++i) {
    if (sum.l1[i].total != 0) {
      log_info("exits {} L1 {} {}", vm.name, vmx::ExitCounters::row_name(i), sum.l1[i].total);
    }
  }
  for (std::size_t i = 0; i < sum.l2.size(); ++i) {
    const vmx::ExitCounters::Row& row = sum.l2[i];
    if (row.total != 0) {
      log_info("exits {} L2 {} {} reflected {} absorbed {}", vm.name, vmx::ExitCounters::row_name(i), row.total,
               row.reflected, row.total - row.reflected);
    }
  }
}

}  // namespace archelon::hv
