// VM entries which must fail, each from a good VMCS with one thing spoiled, and some odd ones which
// must not. The bare machine's transcript is the oracle.
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/entry_check.hpp"
#include "vmx/ept.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;
using enum guest::vmx::Field;

extern "C" void l2_vmcall();
asm(R"(
  .text
l2_vmcall:
  vmcall
  jmp l2_vmcall
)");

namespace {

constinit Vcpu vcpu{};
constinit EptTree tree{};

struct MsrEntry {
  std::uint64_t index;
  std::uint64_t value;
};
alignas(4096) constinit std::array<MsrEntry, 256> msr_area{};
alignas(4096) constinit std::array<std::uint8_t, 8192> pages{};

constexpr std::uint64_t kNonCanonical = 0x8000000000000000;

std::uint64_t page() {
  return address_of(&pages[0]);
}
std::uint64_t beyond_width() {
  return 1ULL << (cpuid(0x80000008).eax & 0xff);
}

void flip(Field field, std::uint64_t bits) {
  write(field, read(field) ^ bits);
}

template <typename Spoil>
void check(const char* name, const Options& options, Spoil spoil) {
  check_entry(vcpu, l2_vmcall, name, options, spoil);
}
template <typename Spoil>
void check(const char* name, Spoil spoil) {
  check(name, Options{}, spoil);
}
void check_value(const char* name, Field field, std::uint64_t value, const Options& options = {}) {
  check(name, options, [=] { write(field, value); });
}
void check_flip(const char* name, Field field, std::uint64_t bits, const Options& options = {}) {
  check(name, options, [=] { flip(field, bits); });
}

void address_checks(const char* name, Field field, std::uint64_t low_bits, const Options& options) {
  put(name);
  check_value(" misaligned", field, page() | low_bits, options);
  put(name);
  check_value(" beyond width", field, beyond_width(), options);
}

void control_checks() {
  line("# controls");
  check("nothing spoiled", [] {});
  check_flip("pin: bit that must be 1", kPinControls, 1U << 1);
  check_flip("pin: reserved bit", kPinControls, 1U << 30);
  check_flip("proc: bit that must be 1", kProcControls, 1U << 1);
  check_flip("proc: reserved bit", kProcControls, 1U << 0);
  check_value("proc2: reserved bit", kProcControls2, 1U << 30, {.proc2 = proc2::kRdtscp});
  check_flip("exit: bit that must be 1", kExitControls, 1U << 0);
  check_flip("entry: bit that must be 1", kEntryControls, 1U << 0);
  check_flip("entry: reserved bit", kEntryControls, 1U << 30);
  check_value("CR3 targets: 4", kCr3TargetCount, 4);
  check_value("CR3 targets: 5", kCr3TargetCount, 5);
  address_checks("I/O bitmap A", kIoBitmapA, 8, {.proc = proc::kIoBitmaps});
  address_checks("I/O bitmap B", kIoBitmapB, 8, {.proc = proc::kIoBitmaps});
  address_checks("MSR bitmap", kMsrBitmap, 8, {.proc = proc::kMsrBitmaps});
  address_checks("virtual-APIC page", kVirtualApicPage, 8, {.proc = proc::kTprShadow});
  check("TPR threshold: bit 4", {.proc = proc::kTprShadow}, [] {
    write(kVirtualApicPage, page());
    write(kTprThreshold, 0x10);
  });
  check("TPR threshold above VTPR", {.proc = proc::kTprShadow}, [] {
    write(kVirtualApicPage, page());
    write(kTprThreshold, 1);
  });
  address_checks("APIC-access page", kApicAccess, 8, {.proc2 = 1});
  check("x2APIC mode without TPR shadow", {.proc2 = proc2::kX2apic}, [] {});
  check("virtual NMIs without NMI exiting", {.pin = pin::kVirtualNmi}, [] {});
  check("NMI window without virtual NMIs", {.proc = proc::kNmiWindow}, [] {});
  check_value("VPID 0", kVpid, 0, {.proc2 = proc2::kVpid});
  check("unrestricted guest without EPT", {.proc2 = proc2::kUnrestricted}, [] {});
  check("timer saved but not active", {.exit = 1U << 22}, [] {});
  const Options with_ept{.ept_pointer = tree.pointer()};
  check("EPT good", with_ept, [] {});
  check_flip("EPT pointer: memory type 1", kEptPointer, 7, with_ept);
  check_flip("EPT pointer: walk length 2", kEptPointer, 1 << 3, with_ept);
  check_flip("EPT pointer: reserved bit", kEptPointer, 1 << 11, with_ept);
  check("EPT pointer: beyond width", with_ept, [] { flip(kEptPointer, beyond_width()); });

  for (const Field f : {kExitMsrStoreCount, kExitMsrLoadCount, kEntryMsrLoadCount}) {
    const Field area = f == kExitMsrStoreCount  ? kExitMsrStore
                       : f == kExitMsrLoadCount ? kExitMsrLoad
                                                : kEntryMsrLoad;
    put(f == kExitMsrStoreCount  ? "exit-store"
        : f == kExitMsrLoadCount ? "exit-load"
                                 : "entry-load");
    check(" area misaligned", [=] {
      write(f, 1);
      write(area, page() | 8);
    });
    put(f == kExitMsrStoreCount  ? "exit-store"
        : f == kExitMsrLoadCount ? "exit-load"
                                 : "entry-load");
    check(" area beyond width", [=] {
      write(f, 1);
      write(area, beyond_width());
    });
    put(f == kExitMsrStoreCount  ? "exit-store"
        : f == kExitMsrLoadCount ? "exit-load"
                                 : "entry-load");
    check(" area ends beyond width", [=] {
      write(f, 257);
      write(area, beyond_width() - 4096);
    });
  }
}

void injection(const char* name, std::uint64_t information, std::uint64_t error = 0,
               std::uint64_t length = 0) {
  put("inject ");
  check(name, [=] {
    write(kEntryInterruption, information);
    write(kEntryErrorCode, error);
    write(kEntryInstructionLength, length);
  });
}

void injection_checks() {
  line("# event injection");
  injection("reserved type 1", 0x80000140);
  injection("NMI with vector 3", 0x80000203);
  injection("hardware exception 32", 0x80000320);
  injection("reserved bit 12", 0x80001040);
  injection("reserved bit 30", 0xc0000040);
  injection("#GP without error code", 0x8000030d);
  injection("#UD with error code", 0x80000b06);
  injection("interrupt with error code", 0x80000840);
  injection("#GP with error code above 15 bits", 0x80000b0d, 0x10000);
  injection("software interrupt of length 16", 0x80000480, 0, 16);
  injection("software exception of length 16", 0x80000603, 0, 16);
  injection("privileged software exception of length 16", 0x80000501, 0, 16);
  injection("interrupt with IF=0", 0x80000040);
}

void host_checks() {
  line("# host state");
  check_flip("CR0.PE=0", kHostCr0, 1);
  check_flip("CR0.NE=0", kHostCr0, 0x20);
  check_flip("CR0.PG=0", kHostCr0, 1U << 31);
  check_flip("CR0 bit 32", kHostCr0, 1ULL << 32);
  check_flip("CR4.PAE=0", kHostCr4, 0x20);
  check_flip("CR4.VMXE=0", kHostCr4, 1U << 13);
  check_flip("CR4 bit 32", kHostCr4, 1ULL << 32);
  check("CR3 beyond width", [] { flip(kHostCr3, beyond_width()); });
  check_value("CS null", kHostCs, 0);
  check_value("CS RPL 3", kHostCs, selector::kCode | 3);
  check_value("CS TI", kHostCs, selector::kCode | 4);
  check_value("SS RPL 3", kHostSs, selector::kData | 3);
  check_value("SS null", kHostSs, 0);
  check_value("DS RPL 3", kHostDs, selector::kData | 3);
  check_value("ES TI", kHostEs, selector::kData | 4);
  check_value("FS TI", kHostFs, selector::kData | 4);
  check_value("GS RPL 1", kHostGs, selector::kData | 1);
  check_value("TR null", kHostTr, 0);
  check_value("TR TI", kHostTr, selector::kTss | 4);
  check_value("FS base not canonical", kHostFsBase, kNonCanonical);
  check_value("GS base not canonical", kHostGsBase, kNonCanonical);
  check_value("TR base not canonical", kHostTrBase, kNonCanonical);
  check_value("GDTR base not canonical", kHostGdtrBase, kNonCanonical);
  check_value("IDTR base not canonical", kHostIdtrBase, kNonCanonical);
  check_value("SYSENTER_ESP not canonical", kHostSysenterEsp, kNonCanonical);
  check_value("SYSENTER_EIP not canonical", kHostSysenterEip, kNonCanonical);
  check_value("RIP not canonical", kHostRip, kNonCanonical);
  check_flip("not a 64-bit host", kExitControls, exit_control::kHost64);
  check_value("PAT type 2", kHostPat, 0x0007040600070402, {.exit = 1U << 19});
  check_value("EFER reserved bit", kHostEfer, 0x502, {.exit = exit_control::kLoadEfer});
  check_value("EFER.LMA=0", kHostEfer, 0x100, {.exit = exit_control::kLoadEfer});
  check_value("EFER.LME=0", kHostEfer, 0x400, {.exit = exit_control::kLoadEfer});
  check("control and host: first wins", [] {
    write(kCr3TargetCount, 5);
    write(kHostCs, 0);
  });
  check("host and guest: first wins", [] {
    write(kHostCs, 0);
    write(kGuestRflags, 0);
  });
}

void guest_register_checks() {
  line("# guest registers");
  check_flip("CR0.NE=0", kGuestCr0, 0x20);
  check_flip("CR0 bit 32", kGuestCr0, 1ULL << 32);
  check_flip("CR4.VMXE=0", kGuestCr4, 1U << 13);
  check_flip("CR4.PAE=0", kGuestCr4, 0x20);
  check_flip("CR4 bit 32", kGuestCr4, 1ULL << 32);
  check("CR3 beyond width", [] { flip(kGuestCr3, beyond_width()); });
  check("CR4.PCIDE outside IA-32e", [] {
    flip(kEntryControls, entry_control::kGuest64);
    flip(kGuestCr4, 1U << 17);
  });
  check_value("DR7 bit 32", kGuestDr7, 1ULL << 32 | 0x400, {.entry = 1U << 2});
  check_value("SYSENTER_ESP not canonical", kGuestSysenterEsp, kNonCanonical);
  check_value("SYSENTER_EIP not canonical", kGuestSysenterEip, kNonCanonical);
  check_value("PAT type 2", kGuestPat, 0x0007040600070402, {.entry = entry_control::kLoadPat});
  check_value("EFER reserved bit", kGuestEfer, 0x502, {.entry = entry_control::kLoadEfer});
  check_value("EFER.LMA=0", kGuestEfer, 0x100, {.entry = entry_control::kLoadEfer});
  check_value("EFER.LME=0", kGuestEfer, 0x400, {.entry = entry_control::kLoadEfer});
  check_value("EFER good", kGuestEfer, 0x500, {.entry = entry_control::kLoadEfer});
  check_value("RFLAGS bit 1 clear", kGuestRflags, 0);
  check_value("RFLAGS bit 3 set", kGuestRflags, 0xa);
  check_value("RFLAGS.VM in 64-bit mode", kGuestRflags, 0x20002);
  check("RIP above 4G without CS.L", [] {
    write(kGuestCsRights, 0xc09b);
    write(kGuestRip, 1ULL << 32);
  });
  check_value("GDTR base not canonical", kGuestGdtrBase, kNonCanonical);
  check_value("IDTR base not canonical", kGuestIdtrBase, kNonCanonical);
  check_value("GDTR limit 17 bits", kGuestGdtrLimit, 0x10000);
  check_value("IDTR limit 17 bits", kGuestIdtrLimit, 0x10000);
}

void guest_segment_checks() {
  line("# guest segments");
  check_value("TR TI", kGuestTr, selector::kTss | 4);
  check_value("TR not busy", kGuestTrRights, 0x89);
  check_value("TR 16-bit", kGuestTrRights, 0x83);
  check_value("TR not present", kGuestTrRights, 0x0b);
  check_value("TR unusable", kGuestTrRights, 0x1008b);
  check_value("TR S", kGuestTrRights, 0x9b);
  check_value("TR reserved bit", kGuestTrRights, 0x18b);
  check_value("TR G with a small limit", kGuestTrRights, 0x808b);
  check_value("TR base not canonical", kGuestTrBase, kNonCanonical);
  check("LDTR usable, type 3", [] { write(kGuestLdtrRights, 0x83); });
  check("LDTR usable, good", [] {
    write(kGuestLdtrRights, 0x82);
    write(kGuestLdtrLimit, 0xfff);
  });
  check("LDTR usable, TI", [] {
    write(kGuestLdtrRights, 0x82);
    write(kGuestLdtrLimit, 0xfff);
    write(kGuestLdtr, 4);
  });
  check("LDTR usable, not canonical", [] {
    write(kGuestLdtrRights, 0x82);
    write(kGuestLdtrLimit, 0xfff);
    write(kGuestLdtrBase, kNonCanonical);
  });
  check_value("CS a data segment", kGuestCsRights, 0xa093);
  check_value("CS not accessed", kGuestCsRights, 0xa09a);
  check_value("CS unusable", kGuestCsRights, 0x1a09b);
  check_value("CS a system segment", kGuestCsRights, 0xa08b);
  check_value("CS not present", kGuestCsRights, 0xa01b);
  check_value("CS L and D", kGuestCsRights, 0xe09b);
  check_value("CS DPL 3", kGuestCsRights, 0xa0fb);
  check_value("CS reserved bit", kGuestCsRights, 0xa19b);
  check_value("CS limit against G", kGuestCsLimit, 0xfff00000);
  check_value("CS base above 4G", kGuestCsBase, 1ULL << 32);
  check_value("SS type 1", kGuestSsRights, 0xc091);
  check_value("SS DPL 3", kGuestSsRights, 0xc0f3);
  check_value("SS RPL 3", kGuestSs, selector::kData | 3);
  check_value("SS not present", kGuestSsRights, 0xc013);
  check_value("SS base above 4G", kGuestSsBase, 1ULL << 32);
  check_value("SS unusable", kGuestSsRights, 0x1c093);
  check_value("DS not accessed", kGuestDsRights, 0xc092);
  check_value("DS execute-only", kGuestDsRights, 0xc099);
  check_value("DS a system segment", kGuestDsRights, 0xc083);
  check_value("DS not present", kGuestDsRights, 0xc013);
  check_value("DS reserved bit", kGuestDsRights, 0xc193);
  check_value("DS limit against G", kGuestDsLimit, 0xfff00000);
  check_value("DS base above 4G", kGuestDsBase, 1ULL << 32);
  check_value("DS unusable", kGuestDsRights, 0x10000);
  check_value("ES DPL below RPL", kGuestEs, selector::kData | 3);
  check_value("FS base not canonical", kGuestFsBase, kNonCanonical);
  check_value("GS base not canonical", kGuestGsBase, kNonCanonical);
}

void guest_state_checks() {
  line("# guest non-register state");
  check_value("activity 4", kGuestActivity, 4);
  check("HLT with DPL 3", [] {
    write(kGuestActivity, 1);
    write(kGuestSsRights, 0xc0f3);
    write(kGuestSs, selector::kData | 3);
    write(kGuestCsRights, 0xa0fb);
    write(kGuestCs, selector::kCode | 3);
  });
  check("HLT with blocking by STI", [] {
    write(kGuestActivity, 1);
    write(kGuestRflags, 0x202);
    write(kGuestInterruptibility, 1);
  });
  check("shutdown with an interrupt", [] {
    write(kGuestActivity, 2);
    write(kGuestRflags, 0x202);
    write(kEntryInterruption, 0x80000040);
  });
  check("wait-for-SIPI with an interrupt", [] {
    write(kGuestActivity, 3);
    write(kGuestRflags, 0x202);
    write(kEntryInterruption, 0x80000040);
  });
  check_value("interruptibility reserved bit", kGuestInterruptibility, 1U << 5);
  check("blocking by STI and MOV SS", [] {
    write(kGuestRflags, 0x202);
    write(kGuestInterruptibility, 3);
  });
  check_value("blocking by STI with IF=0", kGuestInterruptibility, 1);
  check("blocking by STI with IF=1", [] {
    write(kGuestRflags, 0x202);
    write(kGuestInterruptibility, 1);
  });
  check_value("blocking by MOV SS", kGuestInterruptibility, 2);
  check_value("blocking by SMI", kGuestInterruptibility, 4);
  check("blocking by STI and an interrupt", [] {
    write(kGuestRflags, 0x202);
    write(kGuestInterruptibility, 1);
    write(kEntryInterruption, 0x80000040);
  });
  check("blocking by MOV SS and an NMI", [] {
    write(kGuestInterruptibility, 2);
    write(kEntryInterruption, 0x80000202);
  });
  check_value("pending debug reserved bit", kGuestPendingDebug, 1U << 4);
  check_value("link pointer misaligned", kVmcsLink, page() | 8);
  check("link pointer beyond width", [] { write(kVmcsLink, beyond_width()); });
  check("link pointer to a wrong revision", [] {
    pages[0] = static_cast<std::uint8_t>(vmcs_revision() ^ 1);
    write(kVmcsLink, page());
  });
}

// One MSR to load, behind one that is good.
void load_msr(const char* name, std::uint64_t index, std::uint64_t value) {
  put("load ");
  check(name, [=] {
    msr_area[0] = {msr::kKernelGsBase, 0x1000};
    msr_area[1] = {index, value};
    write(kEntryMsrLoad, address_of(&msr_area));
    write(kEntryMsrLoadCount, 2);
  });
}

void msr_load_checks() {
  line("# MSR loading");
  load_msr("LSTAR", msr::kLstar, 0x2000);
  load_msr("FS_BASE", msr::kFsBase, 0);
  load_msr("GS_BASE", msr::kGsBase, 0);
  load_msr("an x2APIC MSR", 0x808, 0);
  load_msr("reserved index bits", 1ULL << 32 | msr::kLstar, 0);
  load_msr("LSTAR not canonical", msr::kLstar, kNonCanonical);
  load_msr("EFER.LME=0", msr::kEfer, 0);
  line("KERNEL_GS_BASE was loaded ", hex(rdmsr(msr::kKernelGsBase)));
}

}  // namespace

GUEST_MAIN {
  require_vmx();
  must("vmxon", enter_vmx());
  tree.map_identity(0, 1ULL << 30);
  control_checks();
  injection_checks();
  host_checks();
  guest_register_checks();
  guest_segment_checks();
  guest_state_checks();
  msr_load_checks();
  check("nothing spoiled", [] {});
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmxoff", vmxoff());
  return 0;
}
