#include "hv/arch/msr.hpp"
#include "hv/msr_access.hpp"
#include "hv/nested/state.hpp"
#include "hv/vm.hpp"

// L1's MSR areas, gone through in software as RDMSR and WRMSR at CPL 0 would do it.
namespace archelon::hv::nested {
namespace {

// SDM vol. 3C, "VM-Entry Controls for MSRs", "Format of an MSR Entry".
struct MsrEntry {
  std::uint32_t index = 0;
  std::uint32_t reserved = 0;
  std::uint64_t value = 0;
};
static_assert(sizeof(MsrEntry) == 16);

// More than an area can usefully hold; the CPU would machine-check on longer ones or stay in them.
constexpr std::uint32_t kMaxEntries = 4096;

[[nodiscard]] bool is_x2apic(std::uint32_t index) {
  return index >= arch::msr::kX2apicFirst && index <= arch::msr::kX2apicLast;
}

}  // namespace

bool load_msr_area(Vcpu& vcpu, std::uint64_t address, std::uint32_t count, std::uint32_t& entry) {
  for (entry = 1; entry <= count; ++entry) {
    const auto item =
        read_value<MsrEntry>(vcpu.vm.memory, Gpa1(address) + (entry - 1) * sizeof(MsrEntry));
    if (!item || entry > kMaxEntries || item->reserved != 0 || item->index == arch::msr::kFsBase ||
        item->index == arch::msr::kGsBase || item->index == arch::msr::kSmmMonitorControl ||
        is_x2apic(item->index) || !write_guest_msr(vcpu, item->index, item->value)) {
      return false;
    }
  }
  return true;
}

bool store_msr_area(Vcpu& vcpu, std::uint64_t address, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const Gpa1 at = Gpa1(address) + i * sizeof(MsrEntry);
    const auto item = read_value<MsrEntry>(vcpu.vm.memory, at);
    if (!item || i >= kMaxEntries || item->reserved != 0 || item->index == arch::msr::kSmbase ||
        is_x2apic(item->index)) {
      return false;
    }
    const auto value = read_guest_msr(vcpu, item->index);
    if (!value || !write_value(vcpu.vm.memory, at + offsetof(MsrEntry, value), *value)) {
      return false;
    }
  }
  return true;
}

}  // namespace archelon::hv::nested
