// VMX instructions with wrong operands and in wrong states; the bare machine's transcript is the
// oracle.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"
#include "vmx/ept.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

extern "C" void l2_vmcall();
asm(R"(
  .text
l2_vmcall:
  vmcall
  jmp l2_vmcall
)");

namespace {

constinit Vcpu vcpu{};
constinit Vcpu other{};

struct alignas(4096) Region {
  std::uint32_t words[1024];
};
constinit Region vmxon_region{};
constinit Region spare{};

constexpr std::uint64_t kNonCanonical = 0x8000000000000000;
constexpr std::uint64_t kUnmapped = 8ULL << 30;  // behind the guest's own page tables
constexpr std::uint64_t kMisaligned = 0x100;

std::uint64_t beyond_width() {
  return 1ULL << (cpuid(0x80000008).eax & 0xff);
}

std::uint64_t encoding(Field field) {
  return static_cast<std::uint64_t>(field);
}

// An instruction with its memory operand at an address, without a value behind it.
#define TRY_AT(function, instruction)                                \
  Outcome function(std::uint64_t address) {                          \
    bool carry = false;                                              \
    bool zero = false;                                               \
    expect_fault();                                                  \
    asm volatile(GUEST_TRY(instruction " (%[address])")              \
                 : "=@ccc"(carry), "=@ccz"(zero)                     \
                 : [address] "D"(address), "c"(std::uint64_t{1}),    \
                   "d"(static_cast<std::uint64_t>(Field::kGuestRip)) \
                 : "rax", "memory");                                 \
    return outcome_of(carry, zero, take_fault());                    \
  }
TRY_AT(vmxon_at, "vmxon")
TRY_AT(vmclear_at, "vmclear")
TRY_AT(vmptrld_at, "vmptrld")
TRY_AT(vmptrst_at, "vmptrst")
TRY_AT(vmread_at, "vmread %%rdx,")
#undef TRY_AT
#define TRY_FROM(function, instruction, reg)                       \
  Outcome function(std::uint64_t address, std::uint64_t operand) { \
    bool carry = false;                                            \
    bool zero = false;                                             \
    expect_fault();                                                \
    asm volatile(GUEST_TRY(instruction " (%[address]), %%" reg)    \
                 : "=@ccc"(carry), "=@ccz"(zero)                   \
                 : [address] "D"(address), "c"(operand)            \
                 : "rax", "memory");                               \
    return outcome_of(carry, zero, take_fault());                  \
  }
TRY_FROM(vmwrite_from, "vmwrite", "rcx")
TRY_FROM(invept_from, "invept", "rcx")
TRY_FROM(invvpid_from, "invvpid", "rcx")
#undef TRY_FROM

void every_instruction(const char* where) {
  std::uint64_t value = 0;
  line(where, ": vmclear ", vmclear(address_of(&vcpu.vmcs)));
  line(where, ": vmptrld ", vmptrld(address_of(&vcpu.vmcs)));
  line(where, ": vmptrst ", vmptrst(&value));
  line(where, ": vmread ", vmread(encoding(Field::kGuestRip), value));
  line(where, ": vmwrite ", vmwrite(encoding(Field::kGuestRip), 0));
  line(where, ": vmlaunch ", vmlaunch());
  line(where, ": vmresume ", vmresume());
  line(where, ": vmxoff ", vmxoff());
  line(where, ": invept ", invept(ept::kInveptAll, {}));
  line(where, ": invvpid ", invvpid(2, {}));
}

// Not vmcall outside VMX operation alone: with no current VMCS some emulators fail on it.
void outside() {
  line("# outside VMX operation");
  write_cr4(read_cr4() & ~(std::uint64_t{1} << 13));
  line("VMXE=0: vmxon ", vmxon(address_of(&vmxon_region)));
  line("VMXE=0: vmcall ", vmcall());
  every_instruction("VMXE=0");
  prepare_cpu_for_vmx();
  line("VMXE=1: vmcall ", vmcall());
  every_instruction("VMXE=1");
  line("VMXE=1: vmclear not canonical ", vmclear_at(kNonCanonical));
}

// Instructions at CPL 3, all on registers and memory which are good.
extern "C" {
void user_vmxon();
void user_vmxoff();
void user_vmclear();
void user_vmptrld();
void user_vmptrst();
void user_vmread();
void user_vmwrite();
void user_vmlaunch();
void user_vmresume();
void user_invept();
void user_invvpid();
std::uint64_t user_operand[2] = {};
}
asm(R"(
  .text
user_vmxon: vmxon user_operand(%rip)
user_vmxoff: vmxoff
user_vmclear: vmclear user_operand(%rip)
user_vmptrld: vmptrld user_operand(%rip)
user_vmptrst: vmptrst user_operand(%rip)
user_vmread: vmread %rax, %rcx
user_vmwrite: vmwrite %rax, %rcx
user_vmlaunch: vmlaunch
user_vmresume: vmresume
user_invept: invept user_operand(%rip), %rax
user_invvpid: invvpid user_operand(%rip), %rax
)");

void at_cpl3(const char* where) {
  struct Case {
    const char* name;
    void (*code)();
  };
  const Case cases[] = {
      {"vmxon", user_vmxon},     {"vmxoff", user_vmxoff},     {"vmclear", user_vmclear},
      {"vmptrld", user_vmptrld}, {"vmptrst", user_vmptrst},   {"vmread", user_vmread},
      {"vmwrite", user_vmwrite}, {"vmlaunch", user_vmlaunch}, {"vmresume", user_vmresume},
      {"invept", user_invept},   {"invvpid", user_invvpid}};
  for (const Case& c : cases) line(where, ": ", c.name, " ", run_at_cpl3(c.code));
}

void bad_vmxon() {
  line("# VMXON");
  vmxon_region.words[0] = vmcs_revision();
  line("misaligned: ", vmxon(address_of(&vmxon_region) + kMisaligned));
  line("beyond width: ", vmxon(beyond_width()));
  vmxon_region.words[0] = vmcs_revision() ^ 1;
  line("wrong revision: ", vmxon(address_of(&vmxon_region)));
  vmxon_region.words[0] = vmcs_revision() | 0x80000000;
  line("revision bit 31: ", vmxon(address_of(&vmxon_region)));
  vmxon_region.words[0] = vmcs_revision();
  line("operand not canonical: ", vmxon_at(kNonCanonical));
  line("operand not mapped: ", vmxon_at(kUnmapped));
  const std::uint64_t cr0 = read_cr0();
  write_cr0(cr0 & ~std::uint64_t{0x20});
  line("CR0.NE=0: ", vmxon(address_of(&vmxon_region)));
  write_cr0(cr0);
  line("good: ", vmxon(address_of(&vmxon_region)));
  expect_fault();
  asm volatile(GUEST_TRY("mov %[value], %%cr4")
               :
               : [value] "r"(read_cr4() & ~(std::uint64_t{1} << 13))
               : "rax", "memory");
  line("CR4.VMXE=0 in VMX operation: ", take_fault());
  expect_fault();
  asm volatile(GUEST_TRY("mov %[value], %%cr0")
               :
               : [value] "r"(read_cr0() & ~std::uint64_t{0x20})
               : "rax", "memory");
  line("CR0.NE=0 in VMX operation: ", take_fault());
}

void pointers(const char* where) {
  line(where, ": vmxon ", vmxon(address_of(&vmxon_region)));
  line(where, ": vmclear misaligned ", vmclear(address_of(&spare) + kMisaligned));
  line(where, ": vmclear beyond width ", vmclear(beyond_width()));
  line(where, ": vmclear of the VMXON region ", vmclear(address_of(&vmxon_region)));
  line(where, ": vmptrld misaligned ", vmptrld(address_of(&spare) + kMisaligned));
  line(where, ": vmptrld beyond width ", vmptrld(beyond_width()));
  line(where, ": vmptrld of the VMXON region ", vmptrld(address_of(&vmxon_region)));
  spare.words[0] = vmcs_revision() ^ 1;
  line(where, ": vmptrld of a wrong revision ", vmptrld(address_of(&spare)));
  line(where, ": vmclear not canonical ", vmclear_at(kNonCanonical));
  line(where, ": vmclear not mapped ", vmclear_at(kUnmapped));
  line(where, ": vmptrld not canonical ", vmptrld_at(kNonCanonical));
  line(where, ": vmptrld not mapped ", vmptrld_at(kUnmapped));
  line(where, ": vmptrst not canonical ", vmptrst_at(kNonCanonical));
  line(where, ": vmptrst not mapped ", vmptrst_at(kUnmapped));
}

std::uint64_t current() {
  std::uint64_t pointer = 0;
  must("vmptrst", vmptrst(&pointer));
  return pointer;
}

void no_current() {
  line("# no current VMCS");
  std::uint64_t value = 0;
  line("vmptrst all ones: ", current() == ~std::uint64_t{0});
  line("vmread ", vmread(encoding(Field::kGuestRip), value));
  line("vmwrite ", vmwrite(encoding(Field::kGuestRip), 0));
  line("vmread unsupported ", vmread(0xe000, value));
  line("vmlaunch ", vmlaunch());
  line("vmresume ", vmresume());
  line("invept type 3 ", invept(3, {}));
  line("invvpid type 4 ", invvpid(4, {}));
  line("vmread not mapped ", vmread_at(kUnmapped));
  line("vmwrite not mapped ", vmwrite_from(kUnmapped, encoding(Field::kGuestRip)));
  pointers("no current");
}

void show_field(const char* name, std::uint64_t field, std::uint64_t value) {
  put(name);
  put(": vmwrite ");
  put(vmwrite(field, value));
  std::uint64_t got = 0x5555555555555555;
  put(", vmread ");
  put(vmread(field, got));
  line(" ", hex(got));
}

void fields() {
  line("# fields");
  const bool writes_any = (rdmsr(msr::kVmxMisc) >> 29 & 1) != 0;
  std::uint64_t value = 0;
  for (const std::uint64_t field : {0xe000ULL, 0x1000ULL, 0x80000000ULL, 0x681eULL | 1ULL << 32,
                                    0x681fULL, 0x0801ULL, 0x4001ULL, 0x8000ULL, 0x6c1eULL}) {
    line("unsupported ", hex(field), ": vmread ", vmread(field, value), ", vmwrite ",
         vmwrite(field, 0));
  }
  const Outcome read_only = vmwrite(encoding(Field::kExitReason), 0);
  line("vmwrite read-only as IA32_VMX_MISC says: ",
       writes_any ? read_only.ok()
                  : read_only.verdict == Verdict::kFailValid && read_only.error == 13);
  show_field("16 bits", encoding(Field::kGuestEs), 0x123456789abcdef0);
  show_field("32 bits", encoding(Field::kExceptionBitmap), 0x123456789abcdef0);
  show_field("64 bits", encoding(Field::kTscOffset), 0x123456789abcdef0);
  show_field("64 bits, high", encoding(Field::kTscOffset) + 1, 0xaabbccdd11223344);
  show_field("64 bits, whole", encoding(Field::kVmcsLink), ~std::uint64_t{0});
  show_field("natural", encoding(Field::kGuestRip), 0x123456789abcdef0);
  line("tsc offset ", hex(read(Field::kTscOffset)));
  line("vmread not canonical ", vmread_at(kNonCanonical));
  line("vmread not mapped ", vmread_at(kUnmapped));
  line("vmwrite not canonical ", vmwrite_from(kNonCanonical, encoding(Field::kGuestRip)));
  line("vmwrite not mapped ", vmwrite_from(kUnmapped, encoding(Field::kGuestRip)));
  line("unsupported before the fault: ", vmwrite_from(kUnmapped, 0xe000));
}

void life_cycle() {
  line("# life cycle");
  set_up(vcpu, l2_vmcall);
  line("vmresume of a clear one ", vmresume());
  line("error field ", read(Field::kInstructionError));
  Exit exit;
  line("vmlaunch ", try_run(vcpu, exit));
  put_exit(exit);
  line();
  line("vmlaunch of a launched one ", vmlaunch());
  line("vmresume ", try_run(vcpu, exit));
  put_exit(exit);
  line();
  write(Field::kTscOffset, 0x1122334455667788);
  set_up(other, l2_vmcall);
  line("current is the other: ", current() == address_of(&other.vmcs));
  line("vmclear of one that is not current ", vmclear(address_of(&vcpu.vmcs)));
  line("current is the other: ", current() == address_of(&other.vmcs));
  line("vmptrld ", vmptrld(address_of(&vcpu.vmcs)));
  line("kept tsc offset ", hex(read(Field::kTscOffset)));
  line("vmresume after vmclear ", vmresume());
  line("vmclear of the current one ", vmclear(address_of(&vcpu.vmcs)));
  line("current none: ", current() == ~std::uint64_t{0});
  must("vmptrld", vmptrld(address_of(&vcpu.vmcs)));
  bool carry = false;
  bool zero = false;
  expect_fault();
  asm volatile("mov %%ss, %%ecx\n\t" GUEST_TRY("mov %%ecx, %%ss\n\tvmlaunch")
               : "=@ccc"(carry), "=@ccz"(zero)
               :
               : "rax", "rcx", "memory");
  line("vmlaunch behind MOV SS ", outcome_of(carry, zero, take_fault()));
  vcpu.launched = 0;
  line("vmlaunch ", try_run(vcpu, exit));
  line("vmptrld of the same ", vmptrld(address_of(&vcpu.vmcs)));
  line("vmresume ", try_run(vcpu, exit));
}

void invalidations() {
  line("# INVEPT and INVVPID");
  const std::uint64_t eptp = address_of(&spare) | 0x1e;
  line("invept single ", invept(1, {eptp, 0}));
  line("invept all ", invept(2, {0, 0}));
  for (const std::uint64_t type : {0ULL, 3ULL, 4ULL, ~0ULL}) {
    line("invept type ", hex(type), " ", invept(type, {eptp, 0}));
  }
  line("invept single, walk length 2 ", invept(1, {eptp ^ 0x08, 0}));
  line("invept single, memory type 1 ", invept(1, {eptp ^ 0x07, 0}));
  line("invept single, reserved bits ", invept(1, {eptp | 0x800, 0}));
  line("invept single, beyond width ", invept(1, {eptp | beyond_width(), 0}));
  line("invept not canonical ", invept_from(kNonCanonical, 2));
  line("invept not mapped ", invept_from(kUnmapped, 2));
  for (std::uint64_t type = 0; type < 6; ++type) {
    line("invvpid type ", type, " ", invvpid(type, {1, 0x200000}));
  }
  for (std::uint64_t type = 0; type < 4; ++type) {
    line("invvpid type ", type, " vpid 0 ", invvpid(type, {0, 0x200000}));
    line("invvpid type ", type, " reserved bits ", invvpid(type, {0x10001, 0x200000}));
    line("invvpid type ", type, " not canonical address ", invvpid(type, {1, kNonCanonical}));
  }
  line("invvpid not canonical ", invvpid_from(kNonCanonical, 2));
  line("invvpid not mapped ", invvpid_from(kUnmapped, 2));
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  spare.words[0] = vmcs_revision();
  const std::uint32_t revision = vmcs_revision();
  __builtin_memcpy(vcpu.vmcs.data(), &revision, sizeof revision);
  outside();
  at_cpl3("CPL 3 outside");
  bad_vmxon();
  at_cpl3("CPL 3 root");
  no_current();
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmptrld", vmptrld(address_of(&vcpu.vmcs)));
  line("# with a current VMCS");
  pointers("current");
  line("current stays: ", current() == address_of(&vcpu.vmcs));
  fields();
  life_cycle();
  invalidations();
  line("vmxoff ", vmxoff());
  every_instruction("after vmxoff");
  line("vmxon again ", enter_vmx());
  line("vmptrst all ones: ", current() == ~std::uint64_t{0});
  line("vmxoff ", vmxoff());
  return 0;
}
