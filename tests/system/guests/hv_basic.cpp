// The smallest hypervisor: L2's instructions that exit, handled by L1 with one line each.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

namespace {

constexpr std::uint64_t kCacheDisable = 1U << 30;
// L2's VMCALL that has L1 show its CR0.
constexpr std::uint64_t kShowCr0 = 0xc0;

constinit Vcpu vcpu{};
alignas(4096) constinit std::array<std::uint8_t, 8192> io_bitmaps{};
alignas(4096) constinit std::array<std::uint8_t, 4096> msr_bitmap{};

constexpr std::uint16_t kPort = 0x1234;

void l2_main() {
  line("L2: begin");
  const CpuidResult leaf = cpuid(0x40, 7);
  line("L2: cpuid ", hex(leaf.eax), " ", hex(leaf.ebx), " ", hex(leaf.ecx), " ", hex(leaf.edx));
  outb(kPort, 0x5a);
  outw(kPort, 0xbeef);
  outl(kPort, 0x12345678);
  line("L2: inb ", hex(inb(kPort)));
  line("L2: inw ", hex(inw(kPort)));
  line("L2: inl ", hex(inl(kPort)));
  outb(0x80, 1);
  std::array<std::uint8_t, 4> bytes{'a', 'b', 'c', 'd'};
  const std::uint8_t* from = bytes.data();
  std::uint64_t count = bytes.size();
  asm volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(kPort) : "memory");
  line("L2: rep outsb left ", count);
  hlt();
  line("L2: behind hlt");
  line("L2: star ", hex(rdmsr(msr::kStar)));
  wrmsr(msr::kStar, 0x123456789abcdef0);
  line("L2: fs base ", hex(rdmsr(msr::kFsBase)));
  wrmsr(msr::kFsBase, 0x7000);
  line("L2: fs base ", hex(rdmsr(msr::kFsBase)));
  line("L2: cr0 ", hex(read_cr0() & 0x8000000f));
  // A change of a bit that L1 leaves to L2, beside one that L1 masks and shows as it is not.
  write_cr0(read_cr0() | kCacheDisable);
  asm volatile("vmcall" : : "a"(kShowCr0), "b"(0), "c"(0), "d"(0) : "memory");
  write_cr0(read_cr0() & ~kCacheDisable);
  asm volatile("vmcall" : : "a"(kShowCr0), "b"(0), "c"(0), "d"(0) : "memory");
  // The qualification names the register.
  asm volatile("mov %0, %%cr0" : : "a"(read_cr0() & ~std::uint64_t{8}) : "memory");
  line("L2: cr0 ", hex(read_cr0() & 0x8000000f));
  asm volatile("mov %%cr3, %%rax; mov %%rax, %%cr3" : : : "rax", "memory");
  std::uint64_t cr8 = 5;
  asm volatile("mov %0, %%cr8" : : "a"(cr8));
  asm volatile("mov %%cr8, %0" : "=a"(cr8));
  line("L2: cr8 ", cr8);
  std::uint64_t dr6 = 0;
  asm volatile("mov %%dr6, %0" : "=a"(dr6));
  invlpg(0x200000);
  line("L2: tsc ", hex(rdtsc()));
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < 100000; ++i) asm volatile("add %1, %0" : "+r"(sum) : "r"(i));
  line("L2: sum ", sum);
  std::uint64_t rax = 0x11;
  asm volatile("vmcall" : "+a"(rax) : "b"(0x22), "c"(0x33), "d"(0x44) : "memory");
  line("L2: vmcall gave ", hex(rax));
  expect_fault();
  asm volatile(GUEST_TRY("ud2") : : : "rax", "memory");
  line("L2: ud2 ", take_fault());
  expect_fault();
  asm volatile(GUEST_TRY("int3") : : : "rax", "memory");
  line("L2: int3 ", take_fault());
  asm volatile("vmcall" : : "a"(0), "b"(0), "c"(0), "d"(0) : "memory");
  fail("L2 went on");
}

// What L2's instruction does, and its values.
void handle(const Exit& exit) {
  Registers& r = vcpu.regs;
  switch (exit.reason) {
    case reason::kCpuid:
      line(" leaf ", hex(r.rax), " subleaf ", r.rcx);
      r.rax = 0xa;
      r.rbx = 0xb;
      r.rcx = 0xc;
      r.rdx = 0xd;
      break;
    case reason::kIo: {
      const std::uint64_t bytes = (exit.qualification & 3) + 1;
      const std::uint64_t mask = ~std::uint64_t{0} >> (64 - 8 * bytes);
      if ((exit.qualification & 0x10) != 0) {
        line(" string count ", r.rcx);
        r.rsi += r.rcx;
        r.rcx = 0;
      } else if ((exit.qualification & 8) != 0) {
        line(" in");
        r.rax = (r.rax & ~mask) | (0x87654321 & mask);
      } else {
        line(" out ", hex(r.rax & mask));
      }
      break;
    }
    case reason::kRdmsr:
      line(" msr ", hex(r.rcx));
      r.rax = 0x55667788;
      r.rdx = 0x11223344;
      break;
    case reason::kWrmsr:
      line(" msr ", hex(r.rcx), " value ", hex(r.rdx << 32 | (r.rax & 0xffffffff)));
      break;
    case reason::kCrAccess:
      line();
      if ((exit.qualification & 0x3f) == 0) {  // MOV to CR0
        write(Field::kCr0Shadow, read(Field::kGuestCr0) & ~std::uint64_t{8});
      }
      if ((exit.qualification & 0xf3f) == 0x18) r.rax = 6;  // MOV from CR8 to RAX
      break;
    case reason::kRdtsc:
      line();
      r.rax = 0x1234;
      r.rdx = 0x1;
      break;
    case reason::kVmcall:
      if (r.rax == kShowCr0) {
        line(" guest cr0 ", hex(read(Field::kGuestCr0) & (kCacheDisable | 0x8000000f)));
        break;
      }
      line(" rax ", hex(r.rax), " rbx ", hex(r.rbx), " rcx ", hex(r.rcx), " rdx ", hex(r.rdx));
      r.rax = 0x99;
      break;
    default:
      line();
      break;
  }
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  line("vmxon: ", enter_vmx());
  io_bitmaps[0x80 / 8] |= 1;
  io_bitmaps[kPort / 8] |= 0xf << (kPort % 8);
  msr_bitmap[1024 + (msr::kStar & 0x1fff) / 8] |= 1 << (msr::kStar % 8);
  msr_bitmap[3072 + (msr::kStar & 0x1fff) / 8] |= 1 << (msr::kStar % 8);
  msr_bitmap[3072 + (msr::kFsBase & 0x1fff) / 8] |= 1 << (msr::kFsBase % 8);
  set_up(vcpu, l2_main,
         {.proc = proc::kHlt | proc::kInvlpg | proc::kRdtsc | proc::kMovDr | proc::kIoBitmaps |
                  proc::kMsrBitmaps | proc::kCr8Load | proc::kCr8Store | proc::kCr3Load |
                  proc::kCr3Store});
  write(Field::kIoBitmapA, address_of(&io_bitmaps[0]));
  write(Field::kIoBitmapB, address_of(&io_bitmaps[4096]));
  write(Field::kMsrBitmap, address_of(&msr_bitmap));
  write(Field::kCr0Mask, 8);
  write(Field::kCr0Shadow, read_cr0() | 8);
  write(Field::kExceptionBitmap, 1U << 3);

  for (unsigned n = 0; n < 200; ++n) {
    const Exit exit = run(vcpu);
    put_exit(exit);
    const bool exception = exit.reason == reason::kException;
    if (exception) {
      put(" event ");
      put(hex(read(Field::kExitInterruption)));
      put(" length ");
      put(exit.instruction_length);
    } else {
      put(" length ");
      put(exit.instruction_length);
    }
    const bool end = exit.reason == reason::kVmcall && vcpu.regs.rax == 0;
    handle(exit);
    if (end) {
      line("exits ", n + 1);
      line("vmclear: ", vmclear(address_of(&vcpu.vmcs)));
      line("vmxoff: ", vmxoff());
      return 0;
    }
    skip_instruction();
  }
  fail("L2 did not end");
}
