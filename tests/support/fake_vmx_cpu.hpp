#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "hv/arch/cr.hpp"
#include "hv/arch/msr.hpp"
#include "tests/support/fake_memory.hpp"
#include "tests/support/machine_capabilities.hpp"
#include "vmx/field_exists.hpp"
#include "vmx/instructions/context.hpp"
#include "vmx/l1_capabilities.hpp"
#include "vmx/vmcs12_cache.hpp"

namespace archelon::test {

// A virtual CPU in 64-bit mode at CPL 0, ready to execute VMXON. Linear memory is physical memory,
// apart from pages in `not_mapped`, which raise #PF.
struct FakeVmxCpu {
  vmx::NestedState state;
  arch::CpuMode cpu_mode = arch::CpuMode::k64Bit;
  unsigned privilege = 0;
  std::uint64_t cr0_value =
      arch::cr0::kPe | arch::cr0::kPg | arch::cr0::kNe | arch::cr0::kEt | arch::cr0::kWp;
  std::uint64_t cr4_value = arch::cr4::kPae | arch::cr4::kVmxe;
  std::uint64_t feature_control_value =
      arch::msr::kFeatureControlLocked | arch::msr::kFeatureControlVmxOutsideSmx;
  bool mov_ss = false;
  arch::Gprs gprs;
  std::map<arch::Segment, arch::SegmentRegister> segments;
  std::set<std::uint64_t> not_mapped;
  FakeMemory<Gpa1> memory;
  vmx::Capabilities caps = vmx::l1_capabilities(machine_capabilities());
  vmx::FieldSet existing = vmx::existing_fields(caps);
  std::unique_ptr<vmx::Vmcs12Cache<3>> cache = std::make_unique<vmx::Vmcs12Cache<3>>();
  // What VMCS02 holds, by field position, and how often it was asked.
  std::map<std::size_t, std::uint64_t> vmcs02;
  int fetches = 0;

  void offer(const vmx::Capabilities& offered) {
    caps = offered;
    existing = vmx::existing_fields(caps);
  }

  vmx::NestedState& nested() { return state; }
  arch::CpuMode mode() { return cpu_mode; }
  unsigned cpl() { return privilege; }
  std::uint64_t cr0() { return cr0_value; }
  std::uint64_t cr4() { return cr4_value; }
  std::uint64_t gpr(arch::Gpr r) { return gprs[r]; }
  void set_gpr(arch::Gpr r, std::uint64_t value) { gprs[r] = value; }
  arch::SegmentRegister segment(arch::Segment s) { return segments[s]; }
  bool blocked_by_mov_ss() { return mov_ss; }
  std::uint64_t feature_control() { return feature_control_value; }

  std::optional<arch::Exception> read_linear(Gva at, std::span<std::byte> out) {
    if (const auto fault = page_fault(at, out.size(), 0)) {
      return fault;
    }
    if (!memory.read(Gpa1(at.value()), out)) {
      std::fill(out.begin(), out.end(), std::byte{0xff});
    }
    return std::nullopt;
  }
  std::optional<arch::Exception> write_linear(Gva at, std::span<const std::byte> in) {
    if (const auto fault = page_fault(at, in.size(), arch::pf::kWrite)) {
      return fault;
    }
    static_cast<void>(memory.write(Gpa1(at.value()), in));
    return std::nullopt;
  }
  FakeMemory<Gpa1>& l1_memory() { return memory; }

  [[nodiscard]] const vmx::Capabilities& capabilities() const { return caps; }
  [[nodiscard]] const vmx::FieldSet& fields() const { return existing; }
  [[nodiscard]] unsigned physical_bits() const { return 40; }
  [[nodiscard]] unsigned linear_bits() const { return 48; }

  void release(vmx::Vmcs12& vmcs) {
    const vmx::FieldSet lazy = vmcs.in_vmcs02();
    lazy.for_each([&](std::size_t p) { fetch(vmcs, p); });
  }
  vmx::Vmcs12& load_vmcs12(Gpa1 region) {
    return cache->load(memory, region, [this](vmx::Vmcs12& v) { release(v); });
  }
  void clear_vmcs12(Gpa1 region) {
    cache->clear(memory, region, [this](vmx::Vmcs12& v) { release(v); });
  }
  void release_vmcs12s() {
    cache->give_back_all(memory, [this](vmx::Vmcs12& v) { release(v); });
  }
  void fetch(vmx::Vmcs12& vmcs, std::size_t position) {
    ++fetches;
    vmcs.fetched(position, vmcs02[position]);
  }

 private:
  std::optional<arch::Exception> page_fault(Gva at, std::size_t size, std::uint32_t code) const {
    for (const std::uint64_t byte : {at.value(), at.value() + size - 1}) {
      if (not_mapped.contains(byte & ~(kPageSize - 1))) {
        return arch::Exception{.vector = arch::Vector::kPf, .error_code = code, .cr2 = byte};
      }
    }
    return std::nullopt;
  }
};
static_assert(vmx::VmxInstructionContext<FakeVmxCpu>);

}  // namespace archelon::test
