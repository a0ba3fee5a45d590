#include "hv/guest/instruction_reader.hpp"

#include <array>

namespace archelon::guest {
namespace {

using arch::Gpr;
using arch::Segment;

Gpr gpr(unsigned number) {
  return static_cast<Gpr>(static_cast<std::uint8_t>(number));
}

}  // namespace

void InstructionReader::read_prefixes() {
  bool operand_override = false;
  bool address_override = false;
  for (bool more = true; more && !cut_off_;) {
    const std::uint8_t byte = next<std::uint8_t>();
    switch (byte) {
      case 0x66:
        operand_override = true;
        break;
      case 0x67:
        address_override = true;
        break;
      case 0xF0:
        lock_ = true;
        break;
      case 0xF2:
      case 0xF3:
        repeat_ = true;
        break;
      case 0x26:
        override_ = Segment::kEs;
        break;
      case 0x2E:
        override_ = Segment::kCs;
        break;
      case 0x36:
        override_ = Segment::kSs;
        break;
      case 0x3E:
        override_ = Segment::kDs;
        break;
      case 0x64:
        override_ = Segment::kFs;
        break;
      case 0x65:
        override_ = Segment::kGs;
        break;
      default:  // a REX prefix counts only right before the opcode
        if (is64() && (byte & 0xF0) == 0x40) {
          rex_ = byte;
          continue;
        }
        more = false;
        continue;
    }
    rex_ = 0;
  }
  if (!cut_off_) {
    --at_;
  }
  switch (code_size_) {
    case CodeSize::k16:
      operand_size_ = operand_override ? 4 : 2;
      address_size_ = address_override ? 4 : 2;
      break;
    case CodeSize::k32:
      operand_size_ = operand_override ? 2 : 4;
      address_size_ = address_override ? 2 : 4;
      break;
    case CodeSize::k64:
      operand_size_ = (rex_ & 8) != 0 ? 8 : operand_override ? 2 : 4;
      address_size_ = address_override ? 4 : 8;
      break;
  }
}

std::optional<ModRm> InstructionReader::read_memory_operand(MemoryOperand& operand) {
  const std::uint8_t byte = next<std::uint8_t>();
  const std::uint8_t mod = byte >> 6;
  const std::uint8_t rm = byte & 7;
  if (mod == 3) {
    return std::nullopt;
  }
  operand.address_size = address_size_;
  if (address_size_ == 2) {
    read_memory16(operand, mod, rm);
  } else {
    read_memory32(operand, mod, rm);
  }
  if (override_) {
    operand.segment = *override_;
  }
  const auto group = static_cast<std::uint8_t>((byte >> 3) & 7);
  return ModRm{static_cast<std::uint8_t>(group | rex_bit(2)), group};
}

void InstructionReader::read_memory16(MemoryOperand& operand, std::uint8_t mod, std::uint8_t rm) {
  struct Form {
    std::optional<Gpr> base;
    std::optional<Gpr> index;
  };
  constexpr std::array<Form, 8> kForms = {{{Gpr::kRbx, Gpr::kRsi},
                                           {Gpr::kRbx, Gpr::kRdi},
                                           {Gpr::kRbp, Gpr::kRsi},
                                           {Gpr::kRbp, Gpr::kRdi},
                                           {Gpr::kRsi, {}},
                                           {Gpr::kRdi, {}},
                                           {Gpr::kRbp, {}},
                                           {Gpr::kRbx, {}}}};
  if (mod == 0 && rm == 6) {
    operand.displacement = next<std::uint16_t>();
    return;
  }
  operand.base = kForms[rm].base;
  operand.index = kForms[rm].index;
  if (operand.base == Gpr::kRbp) {
    operand.segment = Segment::kSs;
  }
  if (mod == 1) {
    operand.displacement = next<std::int8_t>();
  } else if (mod == 2) {
    operand.displacement = next<std::int16_t>();
  }
}

void InstructionReader::read_memory32(MemoryOperand& operand, std::uint8_t mod, std::uint8_t rm) {
  std::uint8_t base = rm;
  if (rm == 4) {
    const std::uint8_t sib = next<std::uint8_t>();
    const auto index = static_cast<std::uint8_t>(((sib >> 3) & 7) | rex_bit(1));
    if (index != 4) {
      operand.index = gpr(index);
      operand.scale_shift = sib >> 6;
    }
    base = sib & 7;
  }
  if (mod == 0 && base == 5) {
    operand.rip_relative = rm == 5 && is64();
    operand.displacement = next<std::int32_t>();
    return;
  }
  operand.base = gpr(base | rex_bit(0));
  if (base == 4 || base == 5) {  // RSP and RBP, but neither R12 nor R13
    operand.segment = rex_bit(0) == 0 ? Segment::kSs : Segment::kDs;
  }
  if (mod == 1) {
    operand.displacement = next<std::int8_t>();
  } else if (mod == 2) {
    operand.displacement = next<std::int32_t>();
  }
}

std::uint64_t InstructionReader::read_immediate(std::uint8_t size) {
  switch (size) {
    case 1:
      return static_cast<std::uint64_t>(std::int64_t{next<std::int8_t>()});
    case 2:
      return static_cast<std::uint64_t>(std::int64_t{next<std::int16_t>()});
    default:
      return static_cast<std::uint64_t>(std::int64_t{next<std::int32_t>()});
  }
}

}  // namespace archelon::guest
