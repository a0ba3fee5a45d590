#include "vm.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "error.hpp"

namespace kvmclient {
namespace {

// Where no guest of ours has memory: KVM's own pages for a CPU without unrestricted guest.
constexpr std::uint64_t kIdentityMap = 0xfffbc000;
constexpr unsigned long kTss = 0xfffbd000;
constexpr std::uint32_t kCpuidEntries = 128;

// struct kvm_cpuid2 as C sees it: in C++ its flexible array makes the header's own one larger, and
// with it the requests' numbers, which carry its size.
struct Cpuid {
  std::uint32_t count = kCpuidEntries;
  std::uint32_t padding = 0;
  kvm_cpuid_entry2 entries[kCpuidEntries]{};
};
static_assert(offsetof(Cpuid, entries) == 8);
constexpr unsigned long kGetSupportedCpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8);
constexpr unsigned long kSetCpuid = _IOC(_IOC_WRITE, KVMIO, 0x90, 8);

template <typename... Argument>
int call(const char* what, int fd, unsigned long request, Argument... argument) {
  const int result = ioctl(fd, request, argument...);
  if (result < 0) fail(kNoKvm, "%s: %s", what, std::strerror(errno));
  return result;
}

constexpr std::uint32_t kHypervisorPresent = 1U << 31;  // not among what KVM says it supports

// All that KVM can give; the APIC id is that of the only CPU, 0.
void set_cpuid(int kvm, int vcpu) {
  Cpuid cpuid;
  call("KVM_GET_SUPPORTED_CPUID", kvm, kGetSupportedCpuid, &cpuid);
  for (std::uint32_t i = 0; i < cpuid.count; ++i) {
    kvm_cpuid_entry2& e = cpuid.entries[i];
    if (e.function == 1) {
      e.ebx = (e.ebx & 0x0000ffff) | 1U << 16;
      e.ecx |= kHypervisorPresent;
    }
    if (e.function == 0xb || e.function == 0x1f) e.edx = 0;
  }
  call("KVM_SET_CPUID2", vcpu, kSetCpuid, &cpuid);
}

}  // namespace

Vm::Vm(std::size_t memory_bytes, bool irqchip) : memory_bytes_(memory_bytes) {
  kvm_ = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm_ < 0) fail(kNoKvm, "/dev/kvm: %s", std::strerror(errno));
  const int version = call("KVM_GET_API_VERSION", kvm_, KVM_GET_API_VERSION, 0);
  if (version != KVM_API_VERSION) fail(kNoKvm, "KVM's interface has version %d", version);
  vm_ = call("KVM_CREATE_VM", kvm_, KVM_CREATE_VM, 0);
  const std::uint64_t identity = kIdentityMap;
  call("KVM_SET_IDENTITY_MAP_ADDR", vm_, KVM_SET_IDENTITY_MAP_ADDR, &identity);
  call("KVM_SET_TSS_ADDR", vm_, KVM_SET_TSS_ADDR, kTss);
  if (irqchip) {
    call("KVM_CREATE_IRQCHIP", vm_, KVM_CREATE_IRQCHIP, 0);
    const kvm_pit_config pit{};
    call("KVM_CREATE_PIT2", vm_, KVM_CREATE_PIT2, &pit);
  }

  void* memory = mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    fail(kUsage, "%zu bytes of memory: %s", memory_bytes, std::strerror(errno));
  memory_ = static_cast<std::uint8_t*>(memory);
  const kvm_userspace_memory_region region{
      .slot = 0,
      .flags = 0,
      .guest_phys_addr = 0,
      .memory_size = memory_bytes,
      .userspace_addr = reinterpret_cast<std::uint64_t>(memory),
  };
  call("KVM_SET_USER_MEMORY_REGION", vm_, KVM_SET_USER_MEMORY_REGION, &region);

  vcpu_ = call("KVM_CREATE_VCPU", vm_, KVM_CREATE_VCPU, 0);
  set_cpuid(kvm_, vcpu_);
  run_bytes_ =
      static_cast<std::size_t>(call("KVM_GET_VCPU_MMAP_SIZE", kvm_, KVM_GET_VCPU_MMAP_SIZE, 0));
  void* run = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_, 0);
  if (run == MAP_FAILED) fail(kNoKvm, "the vCPU's shared page: %s", std::strerror(errno));
  run_ = static_cast<kvm_run*>(run);
}

Vm::~Vm() {
  munmap(run_, run_bytes_);
  close(vcpu_);
  close(vm_);
  close(kvm_);
  munmap(memory_, memory_bytes_);
}

void Vm::load(std::size_t address, std::span<const std::uint8_t> bytes) {
  if (address > memory_bytes_ || bytes.size() > memory_bytes_ - address) {
    fail(kUsage, "%zu bytes at %#zx do not fit into %zu bytes of memory", bytes.size(), address,
         memory_bytes_);
  }
  std::memcpy(memory_ + address, bytes.data(), bytes.size());
}

kvm_regs Vm::regs() const {
  kvm_regs regs{};
  call("KVM_GET_REGS", vcpu_, KVM_GET_REGS, &regs);
  return regs;
}

void Vm::set_regs(const kvm_regs& regs) {
  call("KVM_SET_REGS", vcpu_, KVM_SET_REGS, &regs);
}

kvm_sregs Vm::sregs() const {
  kvm_sregs sregs{};
  call("KVM_GET_SREGS", vcpu_, KVM_GET_SREGS, &sregs);
  return sregs;
}

void Vm::set_sregs(const kvm_sregs& sregs) {
  call("KVM_SET_SREGS", vcpu_, KVM_SET_SREGS, &sregs);
}

bool Vm::run() {
  if (ioctl(vcpu_, KVM_RUN, 0) == 0) return true;
  if (errno == EINTR || errno == EAGAIN) return false;
  fail(kFailed, "KVM_RUN: %s", std::strerror(errno));
}

const char* Vm::describe_exit() const {
  static char text[256];
  int n = std::snprintf(text, sizeof text, "exit reason %u", run_->exit_reason);
  const auto room = [&] { return sizeof text - static_cast<std::size_t>(n); };
  if (run_->exit_reason == KVM_EXIT_INTERNAL_ERROR) {
    n += std::snprintf(text + n, room(), " (KVM's internal error %u", run_->internal.suberror);
    for (std::uint32_t i = 0; i < run_->internal.ndata && i < 6; ++i) {
      n += std::snprintf(text + n, room(), " %#llx", run_->internal.data[i]);
    }
    n += std::snprintf(text + n, room(), ")");
  } else if (run_->exit_reason == KVM_EXIT_FAIL_ENTRY) {
    n += std::snprintf(text + n, room(), " (VM entry failed, reason %#llx)",
                       run_->fail_entry.hardware_entry_failure_reason);
  }
  std::snprintf(text + n, room(), " at rip %#llx", regs().rip);
  return text;
}

std::span<std::uint8_t> Vm::io_data() {
  auto* base = reinterpret_cast<std::uint8_t*>(run_) + run_->io.data_offset;
  return {base, std::size_t{run_->io.size} * run_->io.count};
}

void Vm::set_irq(unsigned line, bool level) {
  kvm_irq_level irq{};
  irq.irq = line;
  irq.level = level ? 1 : 0;
  call("KVM_IRQ_LINE", vm_, KVM_IRQ_LINE, &irq);
}

void Vm::interrupt(unsigned vector) {
  const kvm_interrupt interrupt{vector};
  call("KVM_INTERRUPT", vcpu_, KVM_INTERRUPT, &interrupt);
}

kvm_segment flat_code(bool long_mode) {
  kvm_segment s{};
  s.limit = 0xffffffff;
  s.selector = 0x10;
  s.type = 11;
  s.present = 1;
  s.db = long_mode ? 0 : 1;
  s.s = 1;
  s.l = long_mode ? 1 : 0;
  s.g = 1;
  return s;
}

kvm_segment flat_data() {
  kvm_segment s = flat_code(false);
  s.selector = 0x18;
  s.type = 3;
  return s;
}

}  // namespace kvmclient
