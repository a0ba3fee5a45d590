#include "vmx/vcpu.hpp"

#include <utility>

#include "runtime/cpu.hpp"

extern "C" {
extern std::uint64_t gdt[];
extern std::uint8_t tss[];
}

namespace guest::vmx {
namespace {

struct alignas(4096) Region {
  std::uint32_t words[1024];
};
constinit Region vmxon_region{};

struct [[gnu::packed]] DescriptorTable {
  std::uint16_t limit;
  std::uint64_t base;
};

void set_up_host(Vcpu& vcpu) {
  using enum Field;
  DescriptorTable gdtr;
  DescriptorTable idtr;
  asm volatile("sgdt %0" : "=m"(gdtr));
  asm volatile("sidt %0" : "=m"(idtr));
  write(kHostCs, selector::kCode);
  for (const Field f : {kHostEs, kHostSs, kHostDs}) write(f, selector::kData);
  for (const Field f : {kHostFs, kHostGs}) write(f, 0);
  write(kHostTr, selector::kTss);
  write(kHostCr0, read_cr0());
  write(kHostCr3, read_cr3());
  write(kHostCr4, read_cr4());
  write(kHostFsBase, 0);
  write(kHostGsBase, 0);
  write(kHostTrBase, address_of(tss));
  write(kHostGdtrBase, gdtr.base);
  write(kHostIdtrBase, idtr.base);
  write(kHostSysenterCs, 0);
  write(kHostSysenterEsp, 0);
  write(kHostSysenterEip, 0);
  vcpu.self = address_of(&vcpu);
  write(kHostRsp, address_of(&vcpu.self));
  write(kHostRip, reinterpret_cast<std::uint64_t>(vcpu_exit));

  // L2 has the same tables.
  write(kGuestGdtrBase, gdtr.base);
  write(kGuestGdtrLimit, gdtr.limit);
  write(kGuestIdtrBase, idtr.base);
  write(kGuestIdtrLimit, idtr.limit);
}

void set_up_guest(Vcpu& vcpu, void (*code)()) {
  using enum Field;
  write(kGuestCs, selector::kCode);
  write(kGuestCsRights, 0xa09b);
  for (const auto& [sel, rights] : {std::pair{kGuestEs, kGuestEsRights},
                                    {kGuestSs, kGuestSsRights},
                                    {kGuestDs, kGuestDsRights}}) {
    write(sel, selector::kData);
    write(rights, 0xc093);
  }
  for (const auto& [sel, rights] : {std::pair{kGuestFs, kGuestFsRights},
                                    {kGuestGs, kGuestGsRights},
                                    {kGuestLdtr, kGuestLdtrRights}}) {
    write(sel, 0);
    write(rights, 0x10000);
  }
  for (const Field f : {kGuestEsBase, kGuestCsBase, kGuestSsBase, kGuestDsBase, kGuestFsBase,
                        kGuestGsBase, kGuestLdtrBase}) {
    write(f, 0);
  }
  for (const Field f : {kGuestEsLimit, kGuestCsLimit, kGuestSsLimit, kGuestDsLimit, kGuestFsLimit,
                        kGuestGsLimit, kGuestLdtrLimit}) {
    write(f, 0xffffffff);
  }
  write(kGuestTr, selector::kTss);
  write(kGuestTrRights, 0x8b);
  write(kGuestTrBase, address_of(tss));
  write(kGuestTrLimit, 0x67);
  write(kGuestCr0, read_cr0());
  write(kGuestCr3, read_cr3());
  write(kGuestCr4, read_cr4());
  write(kGuestDr7, 0x400);
  write(kGuestDebugctl, 0);
  write(kGuestRflags, 2);
  write(kGuestRip, reinterpret_cast<std::uint64_t>(code));
  // As at a function's first instruction.
  write(kGuestRsp, address_of(&vcpu.stack) + vcpu.stack.size() - 8);
  write(kGuestInterruptibility, 0);
  write(kGuestActivity, 0);
  write(kGuestPendingDebug, 0);
  write(kGuestSysenterCs, 0);
  write(kGuestSysenterEsp, 0);
  write(kGuestSysenterEip, 0);
  write(kVmcsLink, ~std::uint64_t{0});
}

}  // namespace

std::uint32_t adjust(const char* name, std::uint32_t true_msr, std::uint32_t plain_msr,
                     std::uint32_t wanted) {
  const bool has_true = (rdmsr(msr::kVmxBasic) >> 55 & 1) != 0;
  const std::uint64_t capability = rdmsr(has_true ? true_msr : plain_msr);
  const auto required = static_cast<std::uint32_t>(capability);
  const auto allowed = static_cast<std::uint32_t>(capability >> 32);
  if ((wanted & ~allowed) != 0) fail(name, " controls not offered: ", hex(wanted & ~allowed));
  return (wanted | required) & allowed;
}

bool offers(std::uint32_t msr, std::uint32_t bits) {
  return (bits & ~(rdmsr(msr) >> 32)) == 0;
}

bool offers_proc2(std::uint32_t bits) {
  return offers(msr::kVmxProcbased, proc::kSecondary) && offers(msr::kVmxProcbased2, bits);
}

std::uint64_t ept_vpid_capabilities() {
  if (!offers_proc2(proc2::kEpt) && !offers_proc2(proc2::kVpid)) return 0;
  return rdmsr(msr::kVmxEptVpidCap);
}

std::uint32_t vmcs_revision() {
  return static_cast<std::uint32_t>(rdmsr(msr::kVmxBasic)) & 0x7fffffff;
}

void require_vmx() {
  if ((cpuid(1).ecx & (1U << 5)) == 0) fail("the CPU has no VMX");
  if ((rdmsr(msr::kFeatureControl) & 5) == 1) fail("VMX is locked off");
}

void prepare_cpu_for_vmx() {
  if ((rdmsr(msr::kFeatureControl) & 1) == 0) {
    wrmsr(msr::kFeatureControl, rdmsr(msr::kFeatureControl) | 5);
  }
  write_cr0((read_cr0() | rdmsr(msr::kVmxCr0Fixed0)) & rdmsr(msr::kVmxCr0Fixed1));
  write_cr4((read_cr4() | rdmsr(msr::kVmxCr4Fixed0)) & rdmsr(msr::kVmxCr4Fixed1));
}

Outcome enter_vmx() {
  prepare_cpu_for_vmx();
  vmxon_region.words[0] = vmcs_revision();
  return vmxon(address_of(&vmxon_region));
}

void set_up(Vcpu& vcpu, void (*code)(), const Options& options) {
  using enum Field;
  const std::uint32_t revision = vmcs_revision();
  __builtin_memcpy(vcpu.vmcs.data(), &revision, sizeof revision);
  must("vmclear", vmclear(address_of(&vcpu.vmcs)));
  must("vmptrld", vmptrld(address_of(&vcpu.vmcs)));
  vcpu.launched = 0;
  vcpu.regs = Registers{};

  std::uint32_t proc = options.proc;
  std::uint32_t proc2 = options.proc2;
  if (options.ept_pointer != 0) proc2 |= proc2::kEpt;
  if (proc2 != 0) proc |= proc::kSecondary;
  write(kPinControls, adjust("pin", msr::kVmxTruePinbased, msr::kVmxPinbased, options.pin));
  write(kProcControls, adjust("proc", msr::kVmxTruePinbased + 1, msr::kVmxProcbased, proc));
  if (proc2 != 0) {
    write(kProcControls2, adjust("proc2", msr::kVmxProcbased2, msr::kVmxProcbased2, proc2));
  }
  write(kExitControls, adjust("exit", msr::kVmxTruePinbased + 2, msr::kVmxExit,
                              options.exit | exit_control::kHost64));
  write(kEntryControls, adjust("entry", msr::kVmxTruePinbased + 3, msr::kVmxEntry,
                               options.entry | entry_control::kGuest64));
  for (const Field f :
       {kExceptionBitmap, kPageFaultMask, kPageFaultMatch, kCr3TargetCount, kExitMsrStoreCount,
        kExitMsrLoadCount, kEntryMsrLoadCount, kEntryInterruption, kEntryErrorCode,
        kEntryInstructionLength, kCr0Mask, kCr4Mask, kCr0Shadow, kCr4Shadow}) {
    write(f, 0);
  }
  if (options.ept_pointer != 0) write(kEptPointer, options.ept_pointer);
  if ((proc2 & proc2::kVpid) != 0) write(kVpid, 1);
  set_up_host(vcpu);
  set_up_guest(vcpu, code);
}

Outcome try_run(Vcpu& vcpu, Exit& exit) {
  const std::uint64_t launched = vcpu.launched;
  const std::uint64_t result = vcpu_enter(&vcpu);
  if (result != 0) return outcome_of(result == 1, result == 2, {});
  exit.reason = static_cast<std::uint32_t>(read(Field::kExitReason));
  exit.qualification = read(Field::kExitQualification);
  exit.instruction_length = static_cast<std::uint32_t>(read(Field::kExitInstructionLength));
  // A failed entry leaves the launch state as it was.
  if ((exit.reason & reason::kEntryFailure) != 0) vcpu.launched = launched;
  return {};
}

Exit run(Vcpu& vcpu) {
  Exit exit;
  must("entry", try_run(vcpu, exit));
  return exit;
}

void skip_instruction() {
  write(Field::kGuestRip, read(Field::kGuestRip) + read(Field::kExitInstructionLength));
}

void put_exit(const Exit& exit) {
  put("exit ");
  put_decimal(exit.reason & 0xffff);
  put(" ");
  put(reason_name(exit.reason));
  if ((exit.reason & reason::kEntryFailure) != 0) put(" entry-failure");
  put(" qualification ");
  put(hex(exit.qualification));
}

}  // namespace guest::vmx
