#include "check.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <vector>

#include "error.hpp"
#include "vm.hpp"

extern "C" {
extern const std::uint8_t real_begin[], real_end[];
extern const std::uint8_t protected_begin[], protected_end[];
extern const std::uint8_t long_begin[], long_end[];
extern const std::uint8_t interrupt_begin[], interrupt_end[];
}

namespace kvmclient {
namespace {

constexpr std::size_t kCode = 0x1000;
constexpr std::uint16_t kReport = 0x10;
constexpr std::size_t kMemory = 4 << 20;

int failures = 0;

void expect(const char* guest, const char* what, std::uint64_t got, std::uint64_t wanted) {
  if (got == wanted) return;
  ++failures;
  std::printf("kvmclient: FAILED %s: %s is %#" PRIx64 ", wanted %#" PRIx64 "\n", guest, what, got,
              wanted);
}

struct Trace {
  std::vector<std::uint32_t> reports;
  unsigned exits = 0;
  unsigned mmio_reads = 0;
  unsigned mmio_writes = 0;
  std::uint64_t mmio_address = 0;
  std::uint8_t mmio_byte = 0;
  bool halted = false;
};

// Runs to the first HLT; on_halt can wake the guest by returning true.
template <typename OnHalt>
Trace run(const char* name, Vm& vm, OnHalt on_halt) {
  Trace trace;
  while (trace.exits < 100000) {
    if (!vm.run()) continue;
    ++trace.exits;
    kvm_run& exit = vm.exit();
    switch (exit.exit_reason) {
      case KVM_EXIT_IO:
        if (exit.io.direction == KVM_EXIT_IO_IN) {
          std::memset(vm.io_data().data(), 3, vm.io_data().size());
        } else if (exit.io.port == kReport) {
          std::uint32_t value = 0;
          std::memcpy(&value, vm.io_data().data(), exit.io.size);
          trace.reports.push_back(value);
        }
        break;
      case KVM_EXIT_MMIO:
        trace.mmio_address = exit.mmio.phys_addr;
        if (exit.mmio.is_write != 0) {
          ++trace.mmio_writes;
          trace.mmio_byte = exit.mmio.data[0];
        } else {
          ++trace.mmio_reads;
          std::memset(exit.mmio.data, 0x5c, sizeof exit.mmio.data);
        }
        break;
      case KVM_EXIT_HLT:
        if (on_halt()) break;
        trace.halted = true;
        return trace;
      default:
        ++failures;
        std::printf("kvmclient: FAILED %s: %s\n", name, vm.describe_exit());
        return trace;
    }
  }
  ++failures;
  std::printf("kvmclient: FAILED %s: too many exits\n", name);
  return trace;
}
Trace run(const char* name, Vm& vm) {
  return run(name, vm, [] { return false; });
}

std::uint32_t report(const Trace& trace, std::size_t i) {
  return i < trace.reports.size() ? trace.reports[i] : 0xdeadbeef;
}

void start_real(Vm& vm, std::uint64_t rax, std::uint64_t rbx) {
  kvm_sregs sregs = vm.sregs();
  for (kvm_segment* s : {&sregs.cs, &sregs.ds, &sregs.es, &sregs.ss}) {
    s->base = 0;
    s->selector = 0;
  }
  vm.set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rsp = 0x8000;
  regs.rflags = 2;
  regs.rax = rax;
  regs.rbx = rbx;
  vm.set_regs(regs);
}

void check_real() {
  Vm vm(kMemory, false);
  // The hole at 0xd0000 is made by what lies there: reads of memory would give this byte.
  vm.load(kCode, {real_begin, real_end});
  start_real(vm, 40, 2);
  const Trace trace = run("real mode", vm);
  expect("real mode", "sum", report(trace, 0), 42);
  expect("real mode", "sum of 1000 port reads", report(trace, 1), (3 * 1000) & 0xff);
  expect("real mode", "memory byte", report(trace, 2), 0);
  expect("real mode", "KVM's signature", report(trace, 3), 0x4b4d564b);
  expect("real mode", "exits", trace.exits, 1000 + 4 + 1);
  expect("real mode", "halted", trace.halted ? 1 : 0, 1);
}

// The same code with so little memory that 0xd0000 is behind it.
void check_mmio() {
  Vm vm(64 << 10, false);
  vm.load(kCode, {real_begin, real_end});
  start_real(vm, 1, 2);
  const Trace trace = run("mmio", vm);
  expect("mmio", "reads", trace.mmio_reads, 1);
  expect("mmio", "writes", trace.mmio_writes, 1);
  expect("mmio", "address", trace.mmio_address, 0xd0124);
  expect("mmio", "byte written", trace.mmio_byte, 0x5c);
  expect("mmio", "byte read", report(trace, 2), 0x5c);
}

void check_protected() {
  Vm vm(kMemory, false);
  vm.load(kCode, {protected_begin, protected_end});
  kvm_sregs sregs = vm.sregs();
  sregs.cr0 |= 1;
  sregs.cs = flat_code(false);
  for (kvm_segment* s : {&sregs.ds, &sregs.es, &sregs.ss, &sregs.fs, &sregs.gs}) *s = flat_data();
  vm.set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rsp = 0x8000;
  regs.rflags = 2;
  vm.set_regs(regs);
  std::uint32_t value = 1;
  std::uint32_t sum = 0;
  for (int i = 0; i < 0x40000; ++i) {
    sum += value;
    value = value * 5 + 3;
  }
  const Trace trace = run("protected mode", vm);
  expect("protected mode", "sum", report(trace, 0), sum);
  expect("protected mode", "stack pointer", report(trace, 1), 0x8000);
}

void check_long() {
  Vm vm(kMemory, false);
  vm.load(kCode, {long_begin, long_end});
  // 4K pages for all of memory.
  constexpr std::size_t kPml4 = 0x10000;
  constexpr std::size_t kPdpt = 0x11000;
  constexpr std::size_t kPd = 0x12000;
  constexpr std::size_t kPt = 0x13000;
  const auto put = [&](std::size_t table, std::size_t index, std::uint64_t entry) {
    std::memcpy(vm.memory().data() + table + index * 8, &entry, sizeof entry);
  };
  put(kPml4, 0, kPdpt | 7);
  put(kPdpt, 0, kPd | 7);
  for (std::size_t t = 0; t < kMemory >> 21; ++t) {
    put(kPd, t, (kPt + t * 4096) | 7);
    for (std::size_t i = 0; i < 512; ++i) put(kPt + t * 4096, i, (t << 21 | i << 12) | 7);
  }
  kvm_sregs sregs = vm.sregs();
  sregs.cr3 = kPml4;
  sregs.cr4 = 0x20;
  sregs.cr0 = 0x80000011;
  sregs.efer = 0x500;
  sregs.cs = flat_code(true);
  for (kvm_segment* s : {&sregs.ds, &sregs.es, &sregs.ss, &sregs.fs, &sregs.gs}) *s = flat_data();
  vm.set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = kCode;
  regs.rsp = 0x8000;
  regs.rflags = 2;
  vm.set_regs(regs);
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 64; ++i) sum += 0x200000 + i * 4096;
  const Trace trace = run("long mode", vm);
  expect("long mode", "sum of pages", report(trace, 0), sum >> 12);
  expect("long mode", "STAR", report(trace, 1), 0x89abcdef);
  expect("long mode", "CR4", report(trace, 2), 0x20);
  std::uint64_t last = 0;
  std::memcpy(&last, vm.memory().data() + 0x200000 + 63 * 4096, sizeof last);
  expect("long mode", "the last page seen from outside", last, 0x200000 + 63 * 4096);
}

void check_interrupts() {
  Vm vm(kMemory, false);
  vm.load(kCode, {interrupt_begin, interrupt_end});
  start_real(vm, 0, 0);
  unsigned injected = 0;
  const Trace trace = run("interrupts", vm, [&] {
    if (injected == 10) return false;
    ++injected;
    vm.interrupt(0x40);
    return true;
  });
  expect("interrupts", "seen by the guest", report(trace, 0), 10);
}

}  // namespace

int check() {
  struct Case {
    const char* name;
    void (*run)();
  };
  constexpr Case kCases[] = {{"real mode", check_real},
                             {"mmio", check_mmio},
                             {"protected mode", check_protected},
                             {"long mode", check_long},
                             {"interrupts", check_interrupts}};
  for (const Case& c : kCases) {
    const int before = failures;
    c.run();
    if (failures == before) std::printf("kvmclient: ok %s\n", c.name);
    std::fflush(stdout);
  }
  std::printf("kvmclient: %s\n", failures == 0 ? "all checks passed" : "some checks failed");
  return failures == 0 ? 0 : kFailed;
}

}  // namespace kvmclient
