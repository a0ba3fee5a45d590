#include <algorithm>
#include <array>

#include "hv/exits/handlers.hpp"
#include "hv/guest_access.hpp"
#include "hv/guest_state.hpp"
#include "hv/machine_access.hpp"
#include "hv/lifecycle.hpp"
#include "hv/vm.hpp"
#include "vmx/qualification.hpp"

namespace archelon::hv::exits {
namespace {

using namespace vmx;

// Elements of a repeated string instruction that one exit handles: interrupts come in between.
constexpr std::uint64_t kElementsPerExit = 64;

constexpr std::uint64_t size_mask(unsigned bytes) { return bit_mask(bytes * 8 - 1, 0); }

// A register as an address or count of `bytes` (2, 4, 8), and the write-back that a CPU does: the
// upper half goes for 32 bits, stays for 16.
void write_sized(std::uint64_t& reg, std::uint64_t value, unsigned bytes) {
  reg = bytes == 2 ? (reg & ~size_mask(2)) | (value & size_mask(2)) : value & size_mask(bytes);
}

// Bytes of the address size of a string instruction, and the segment of its memory operand: ES for
// INS; for OUTS from the instruction information. SDM vol. 3C, "Format of the VM-Exit
// Instruction-Information Field as Used for INS and OUTS".
struct StringOperand {
  unsigned address_bytes;
  arch::Segment segment;
};

StringOperand string_operand(Vcpu& vcpu, bool in) {
  const std::uint32_t info = vcpu.vmcs().read(fields::kExitInstructionInfo);
  return {.address_bytes = 2u << std::min<std::uint32_t>((info >> 7) & 7, 2),
          .segment = in ? arch::Segment::kEs
                        : static_cast<arch::Segment>(
                              std::min<std::uint32_t>((info >> 15) & 7, 5))};
}

void string_io(Vcpu& vcpu, const Exit& exit, const IoAccess& access) {
  const StringOperand operand = string_operand(vcpu, access.in);
  const unsigned width = operand.address_bytes;
  std::uint64_t& index = vcpu.gprs[access.in ? arch::Gpr::kRdi : arch::Gpr::kRsi];
  std::uint64_t& counter = vcpu.gprs[arch::Gpr::kRcx];
  const bool down = (vcpu.vmcs().read(fields::kGuestRflags) & arch::rflags::kDf) != 0;
  // Of the segment only the base counts here: the CPU checked limit and rights before the exit.
  const std::uint64_t base = segment_base(vcpu, operand.segment);
  std::uint64_t left = access.rep ? counter & size_mask(width) : 1;
  for (std::uint64_t done = 0; left != 0 && done < kElementsPerExit; ++done, --left) {
    const Gva address(linear_address(vcpu, base, index & size_mask(width)));
    std::array<std::byte, 4> element{};
    const std::span<std::byte> bytes(element.data(), access.size);
    std::uint32_t value = 0;
    if (access.in) {
      // The page must be writable before the device loses the datum.
      if (!probe_guest_write(vcpu, address, access.size)) {
        return;
      }
      MachineAccess machine(vcpu.vm);
      value = machine.machine().io_read(access.port, access.size, machine.now());
    } else {
      if (!read_guest_linear(vcpu, address, bytes)) {
        return;
      }
      std::memcpy(&value, element.data(), sizeof(value));
      MachineAccess machine(vcpu.vm);
      machine.machine().io_write(access.port, access.size, value, machine.now());
    }
    if (access.in) {
      std::memcpy(element.data(), &value, sizeof(value));
      if (!write_guest_linear(vcpu, address, bytes)) {
        return;
      }
    }
    write_sized(index, down ? index - access.size : index + access.size, width);
    if (access.rep) {
      write_sized(counter, left - 1, width);
    }
  }
  if (left == 0) {
    skip_instruction(vcpu, exit);
  }
}

}  // namespace

void io_instruction(Vcpu& vcpu, const Exit& exit) {
  const IoAccess access = IoAccess::decode(exit.qualification);
  if (access.string) {
    string_io(vcpu, exit, access);
  } else {
    std::uint64_t& rax = vcpu.gprs[arch::Gpr::kRax];
    const std::uint64_t mask = size_mask(access.size);
    {
      MachineAccess machine(vcpu.vm);
      if (access.in) {
        const std::uint64_t value =
            machine.machine().io_read(access.port, access.size, machine.now());
        rax = access.size == 4 ? value & mask : (rax & ~mask) | (value & mask);
      } else {
        machine.machine().io_write(access.port, access.size,
                                   truncate<std::uint32_t>(rax & mask), machine.now());
      }
    }
    skip_instruction(vcpu, exit);
  }
  handle_power_event(vcpu.vm);
}

}  // namespace archelon::hv::exits
