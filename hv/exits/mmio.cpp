#include <array>

#include "hv/base/log.hpp"
#include "hv/exits/handlers.hpp"
#include "hv/guest/mmio_instruction.hpp"
#include "hv/guest_access.hpp"
#include "hv/guest_state.hpp"
#include "hv/machine_access.hpp"
#include "hv/vm.hpp"

namespace archelon::hv::exits {
namespace {

using namespace vmx;

[[nodiscard]] guest::CodeSize code_size(Vcpu& vcpu) {
  const std::uint32_t rights = vcpu.vmcs().read(fields::kGuestCsAccessRights);
  if ((guest_efer(vcpu) & arch::efer::kLma) != 0 && (rights & arch::ar::kLong) != 0) {
    return guest::CodeSize::k64;
  }
  return (rights & arch::ar::kDefaultBig) != 0 ? guest::CodeSize::k32 : guest::CodeSize::k16;
}

void report_undecodable(Vcpu& vcpu, Gpa1 address, guest::MmioDecodeFault fault,
                        std::span<const std::byte> bytes) {
  std::array<char, 120> text{};
  log_error("vm {} vcpu {}: access to {} at RIP {:#x}: {}", vcpu.vm.name, vcpu.index, address,
            vcpu.vmcs().read(fields::kGuestRip), guest::describe(text, fault, bytes));
  stop_vm(vcpu.vm, "an instruction on a device's memory that L0 cannot carry out");
}

// One emulated access: the operands' addresses first, then the instruction, then what it changed.
class Access {
 public:
  Access(Vcpu& vcpu, const guest::MmioInstruction& instruction, Gpa1 address)
      : vcpu_(vcpu), instruction_(instruction), address_(address) {}

  // False where an operand faulted; the fault is pending then.
  [[nodiscard]] bool run() {
    const std::uint64_t rip = vcpu_.vmcs().read(fields::kGuestRip);
    arch::Gprs gprs = vcpu_.gprs;
    gprs[arch::Gpr::kRsp] = vcpu_.vmcs().read(fields::kGuestRsp);
    std::uint64_t flags = vcpu_.vmcs().read(fields::kGuestRflags);
    const std::uint64_t source = linear(instruction_.source, gprs, rip);
    const std::uint64_t destination = linear(instruction_.destination, gprs, rip);
    std::uint64_t memory = 0;
    if (instruction_.reads && !read(Gva(source), memory)) {
      return false;
    }
    const guest::MmioOutcome outcome = guest::execute(instruction_, memory, gprs, flags);
    if (outcome.write && !write(Gva(destination), outcome.value)) {
      return false;
    }
    vcpu_.vmcs().write(fields::kGuestRsp, gprs[arch::Gpr::kRsp]);
    vcpu_.vmcs().write(fields::kGuestRflags, flags);
    vcpu_.gprs = gprs;
    done_ = outcome.done;
    return true;
  }
  [[nodiscard]] bool done() const { return done_; }

 private:
  [[nodiscard]] std::uint64_t linear(const guest::MemoryOperand& operand, const arch::Gprs& gprs,
                                     std::uint64_t rip) {
    return guest::linear_address(instruction_, operand, gprs, rip,
                                 segment_base(vcpu_, operand.segment));
  }

  // Where an operand is: the address that exited if there is but one, else what the guest's page
  // tables say.
  [[nodiscard]] std::optional<Gpa1> physical(Gva address, bool write) {
    return instruction_.two_operands ? guest_physical(vcpu_, address, write) : address_;
  }

  [[nodiscard]] bool read(Gva address, std::uint64_t& value) {
    const std::optional<Gpa1> at = physical(address, false);
    if (!at) {
      return false;
    }
    const std::span<std::byte> bytes(reinterpret_cast<std::byte*>(&value), instruction_.size);
    if (!vcpu_.vm.memory.read(*at, bytes)) {
      MachineAccess machine(vcpu_.vm);
      value = machine.machine().mmio_read(vcpu_.index, *at, instruction_.size, machine.now());
    }
    return true;
  }

  [[nodiscard]] bool write(Gva address, std::uint64_t value) {
    const std::optional<Gpa1> at = physical(address, true);
    if (!at) {
      return false;
    }
    const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(&value),
                                           instruction_.size);
    if (!vcpu_.vm.memory.write(*at, bytes)) {
      MachineAccess machine(vcpu_.vm);
      machine.machine().mmio_write(vcpu_.index, *at, instruction_.size, value, machine.now());
    }
    return true;
  }

  Vcpu& vcpu_;
  const guest::MmioInstruction& instruction_;
  Gpa1 address_;
  bool done_ = true;
};

}  // namespace

void mmio(Vcpu& vcpu, const Exit& exit, Gpa1 address) {
  if (vcpu.event.valid()) {
    // The IDT, GDT, TSS or stack that the delivery needs is not memory: the machine would loop in
    // faults until it shuts down.
    stop_vm(vcpu.vm, "an event's delivery touched memory that is not RAM");
    return;
  }
  std::array<std::byte, guest::kMaxInstructionLength> bytes{};
  const std::size_t fetched = fetch_instruction(vcpu, bytes);
  if (fetched == 0) {
    return;  // the fetch itself faulted, and the guest or its L1 will see that
  }
  const std::span<const std::byte> code = std::span(bytes).first(fetched);
  const auto instruction = guest::decode(code, code_size(vcpu));
  if (!instruction) {
    report_undecodable(vcpu, address, instruction.error(), code);
    return;
  }
  Access access(vcpu, *instruction, address);
  if (access.run() && access.done()) {
    Exit finished = exit;
    finished.instruction_length = instruction->length;
    skip_instruction(vcpu, finished);
  }
}

}  // namespace archelon::hv::exits
