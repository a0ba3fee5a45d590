#include "hv/shell/reports.hpp"

#include "vmx/offered_controls.hpp"

namespace archelon::shell {
namespace {

void print_exit_row(unsigned level, std::size_t row, const vmx::ExitCounters::Row& counts,
                    const Output& out) {
  const std::string_view name = vmx::ExitCounters::row_name(row);
  if (counts.total == 0) {
    return;
  }
  if (level == 1) {
    out.line("  L1 {:28} {:12}", name, counts.total);
  } else {
    out.line("  L2 {:28} {:12} {:12} {:12}", name, counts.total, counts.reflected,
             counts.total - counts.reflected);
  }
}

vmx::ExitCounters::Row sum(const vmx::ExitCounters::Level& level) {
  vmx::ExitCounters::Row all;
  for (const auto& row : level) {
    all.total += row.total;
    all.reflected += row.reflected;
  }
  return all;
}

void print_frame_row(std::string_view what, std::uint64_t frames, const Output& out) {
  out.line("  {:24} {:10} frames {:8} MiB", what, frames, (frames * kPageSize) >> 20);
}

void print_control(const vmx::OfferedControl& control, const CapabilityReport& report,
                   const Output& out) {
  if (!report.hardware.control(control.word).can_set(control.mask)) {
    return;
  }
  const bool given = report.l1.control(control.word).can_set(control.mask);
  out.line("  {:9} {:40} {:3} {}", vmx::control_word_name(control.word),
           vmx::control_name(control.word, control.mask), given ? "yes" : "no", control.reason);
}

}  // namespace

void print_vm_header(const Output& out) {
  out.line("VM               state      memory");
}

void print_vm(const VmRow& vm, const Output& out) {
  out.line("{:16} {:10} {} MiB, {} vCPUs{}{}", vm.name, vm.state, vm.memory >> 20, vm.vcpus,
           vm.detail.empty() ? "" : "; ", vm.detail);
}

void print_vcpu(const VcpuRow& vcpu, const Output& out) {
  out.line("  vCPU {} on CPU {}: {}, L{}, {} exits", vcpu.index, vcpu.cpu, vcpu.activity,
           vcpu.level, vcpu.exits);
}

void print_exits(std::string_view vm, const vmx::ExitCounters& counters, const Output& out) {
  out.line("vm {}", vm);
  out.line("     {:28}        exits    reflected     absorbed", "reason");
  for (std::size_t i = 0; i < counters.l1.size(); ++i) {
    print_exit_row(1, i, counters.l1[i], out);
  }
  for (std::size_t i = 0; i < counters.l2.size(); ++i) {
    print_exit_row(2, i, counters.l2[i], out);
  }
  const auto l1 = sum(counters.l1);
  const auto l2 = sum(counters.l2);
  out.line("  L1 {:28} {:12}", "all", l1.total);
  out.line("  L2 {:28} {:12} {:12} {:12}", "all", l2.total, l2.reflected, l2.total - l2.reflected);
  out.line("  nested entries {}, failed {}", counters.nested_entries,
           counters.nested_entry_failures);
}

void print_frames(const mmu::FrameStats& frames, const Output& out) {
  print_frame_row("to hand out", frames.total, out);
  print_frame_row("in use", frames.total - frames.free, out);
  print_frame_row("free", frames.free, out);
  print_frame_row("least free so far", frames.lowest_free, out);
  print_frame_row("for the bookkeeping", frames.metadata, out);
  out.line("  {:24} {:10}", "requests refused", frames.failures);
}

void print_capabilities(const CapabilityReport& report, const Output& out) {
  if (!report.usable) {
    out.line("VT-x cannot be used here");
    for (const std::string_view name : report.missing) {
      out.line("  missing: {}", name);
    }
    return;
  }
  for (const std::string_view name : vmx::missing_optional_features(report.hardware)) {
    out.line("  without: {}", name);
  }
  out.line("  {:9} {:40} {:3} {}", "word", "control of this CPU", "L1", "how, or why not");
  for (const vmx::OfferedControl& control : vmx::offered_controls()) {
    print_control(control, report, out);
  }
  for (std::uint32_t index = arch::msr::kVmxFirst; index <= arch::msr::kVmxLast; ++index) {
    if (vmx::capability_msr_exists(report.hardware, index)) {
      out.line("  MSR {:#05x}  CPU {:#018x}  L1 {:#018x}", index, report.hardware[index],
               report.l1[index]);
    }
  }
}

}  // namespace archelon::shell
