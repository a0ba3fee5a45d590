#pragma once

#include <cstdint>
#include <string_view>

#include "hv/shell/output.hpp"
#include "mmu/frames.hpp"
#include "vmx/capabilities.hpp"
#include "vmx/exit_counters.hpp"
#include "vmx/requirements.hpp"

// The tables that the shell prints, from values.
namespace archelon::shell {

struct VmRow {
  std::string_view name;
  std::string_view state;
  std::string_view detail;  // how it ended, or empty
  std::uint64_t memory = 0;
  unsigned vcpus = 0;
};
struct VcpuRow {
  unsigned index = 0;
  unsigned cpu = 0;
  std::string_view activity;
  unsigned level = 1;
  std::uint64_t exits = 0;
};
void print_vm_header(const Output& out);
void print_vm(const VmRow& vm, const Output& out);
void print_vcpu(const VcpuRow& vcpu, const Output& out);

void print_exits(std::string_view vm, const vmx::ExitCounters& counters, const Output& out);

void print_frames(const mmu::FrameStats& frames, const Output& out);

// What of VT-x is missing, and each control that the CPU has with what L1 gets of it. Only the
// first is printed where `usable` is false.
struct CapabilityReport {
  bool usable = false;
  const vmx::RequirementNames& missing;
  const vmx::Capabilities& hardware;
  const vmx::Capabilities& l1;
};
void print_capabilities(const CapabilityReport& report, const Output& out);

}  // namespace archelon::shell
