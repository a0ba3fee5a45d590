#include "hv/exit_report.hpp"

#include "hv/base/log.hpp"
#include "hv/vm.hpp"

namespace archelon::hv {
namespace {

[[nodiscard]] std::string_view row_name(std::size_t row) {
  return row < vmx::kExitReasonCount ? vmx::exit_reason_name(static_cast<std::uint32_t>(row))
                                     : std::string_view("UNKNOWN");
}

}  // namespace

void report_exits(const Vm& vm) {
  ExitCounters sum;
  for (unsigned i = 0; i < vm.vcpu_count; ++i) {
    sum.add(vm.vcpus[i]->counters);
  }
  for (std::size_t i = 0; i < sum.l1.size(); ++i) {
    if (sum.l1[i].total != 0) {
      log_info("exits {} L1 {} {}", vm.name, row_name(i), sum.l1[i].total);
    }
  }
  for (std::size_t i = 0; i < sum.l2.size(); ++i) {
    const ExitCounters::Row& row = sum.l2[i];
    if (row.total != 0) {
      log_info("exits {} L2 {} {} reflected {} absorbed {}", vm.name, row_name(i), row.total,
               row.reflected, row.total - row.reflected);
    }
  }
}

}  // namespace archelon::hv
