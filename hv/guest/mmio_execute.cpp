#include "hv/arch/cr.hpp"
#include "hv/base/bits.hpp"
#include "hv/guest/mmio_instruction.hpp"

namespace archelon::guest {
namespace {

namespace flags = arch::rflags;
using arch::Gpr;
using arch::Gprs;

[[nodiscard]] constexpr std::uint64_t size_mask(unsigned size) {
  return ~std::uint64_t{0} >> (64 - size * 8);
}

[[nodiscard]] constexpr std::uint64_t sign_bit(unsigned size) {
  return bit(size * 8 - 1);
}

[[nodiscard]] constexpr std::uint64_t sign_extended(std::uint64_t value, unsigned size) {
  const std::uint64_t sign = sign_bit(size);
  return ((value & size_mask(size)) ^ sign) - sign;
}

// SF, ZF and PF of a result.
[[nodiscard]] constexpr std::uint64_t result_flags(std::uint64_t result, unsigned size) {
  const std::uint64_t nibbles = (result ^ (result >> 4)) & 0xF;
  const bool even = ((0x6996U >> nibbles) & 1U) == 0;
  return ((result & sign_bit(size)) != 0 ? flags::kSf : 0) | (result == 0 ? flags::kZf : 0) |
         (even ? flags::kPf : 0);
}

struct Alu {
  std::uint64_t value;
  std::uint64_t flags;  // the arithmetic flags
};

[[nodiscard]] constexpr Alu add(std::uint64_t a, std::uint64_t b, bool carry, unsigned size) {
  const std::uint64_t r = (a + b + (carry ? 1 : 0)) & size_mask(size);
  const bool carry_out = r < a || (carry && r == a);
  const bool overflow = ((a ^ r) & (b ^ r) & sign_bit(size)) != 0;
  return {r, result_flags(r, size) | (carry_out ? flags::kCf : 0) | (overflow ? flags::kOf : 0) |
                 ((a ^ b ^ r) & flags::kAf)};
}

[[nodiscard]] constexpr Alu subtract(std::uint64_t a, std::uint64_t b, bool borrow, unsigned size) {
  const std::uint64_t r = (a - b - (borrow ? 1 : 0)) & size_mask(size);
  const bool borrow_out = a < b || (borrow && a == b);
  const bool overflow = ((a ^ b) & (a ^ r) & sign_bit(size)) != 0;
  return {r, result_flags(r, size) | (borrow_out ? flags::kCf : 0) | (overflow ? flags::kOf : 0) |
                 ((a ^ b ^ r) & flags::kAf)};
}

[[nodiscard]] constexpr Alu logic(std::uint64_t r, unsigned size) {
  return {r, result_flags(r, size)};
}

[[nodiscard]] std::uint64_t read_register(const Gprs& gprs, RegisterOperand reg, unsigned size) {
  return (gprs[reg.gpr] >> (reg.high_byte ? 8 : 0)) & size_mask(size);
}

// A 32-bit result clears the upper half; smaller ones leave the rest (SDM Vol. 1, "General-Purpose
// Registers in 64-Bit Mode").
void write_register(Gprs& gprs, RegisterOperand reg, unsigned size, std::uint64_t value) {
  std::uint64_t& whole = gprs[reg.gpr];
  if (size >= 4) {
    whole = value & size_mask(size);
    return;
  }
  const unsigned shift = reg.high_byte ? 8 : 0;
  const std::uint64_t mask = size_mask(size) << shift;
  whole = (whole & ~mask) | ((value << shift) & mask);
}

void set_flags(std::uint64_t& rflags, std::uint64_t which, std::uint64_t value) {
  rflags = (rflags & ~which) | (value & which);
}

// Adds to the low `size` bytes of a register as address arithmetic does.
void advance(Gprs& gprs, Gpr gpr, unsigned size, std::uint64_t amount) {
  write_register(gprs, {gpr, false}, size, read_register(gprs, {gpr, false}, size) + amount);
}

MmioOutcome string_element(const MmioInstruction& in, std::uint64_t memory, Gprs& gprs,
                           std::uint64_t rflags) {
  const unsigned width = in.string_address;
  if (in.repeat && read_register(gprs, {Gpr::kRcx, false}, width) == 0) {
    return {};
  }
  MmioOutcome outcome;
  const std::uint64_t step = (rflags & flags::kDf) != 0 ? ~std::uint64_t{in.size} + 1 : in.size;
  if (in.operation == MmioOperation::kLoadString) {
    write_register(gprs, {Gpr::kRax, false}, in.size, memory);
  } else {
    outcome.write = true;
    outcome.value = in.operation == MmioOperation::kMoveString
                        ? memory
                        : read_register(gprs, {Gpr::kRax, false}, in.size);
    advance(gprs, Gpr::kRdi, width, step);
  }
  if (in.operation != MmioOperation::kStoreString) {
    advance(gprs, Gpr::kRsi, width, step);
  }
  if (in.repeat) {
    advance(gprs, Gpr::kRcx, width, ~std::uint64_t{0});
    outcome.done = read_register(gprs, {Gpr::kRcx, false}, width) == 0;
  }
  return outcome;
}

MmioOutcome bit_operation(const MmioInstruction& in, std::uint64_t memory, std::uint64_t operand,
                          std::uint64_t& rflags) {
  const std::uint64_t mask = bit(static_cast<unsigned>(operand & (in.size * 8U - 1)));
  set_flags(rflags, flags::kCf, (memory & mask) != 0 ? flags::kCf : 0);
  switch (in.operation) {
    case MmioOperation::kBitSet:
      return {true, memory | mask, true};
    case MmioOperation::kBitReset:
      return {true, memory & ~mask, true};
    case MmioOperation::kBitComplement:
      return {true, memory ^ mask, true};
    default:
      return {};
  }
}

[[nodiscard]] Alu arithmetic(MmioOperation operation, std::uint64_t left, std::uint64_t right,
                             bool carry, unsigned size) {
  switch (operation) {
    case MmioOperation::kAdd:
      return add(left, right, false, size);
    case MmioOperation::kAdc:
      return add(left, right, carry, size);
    case MmioOperation::kSub:
    case MmioOperation::kCmp:
      return subtract(left, right, false, size);
    case MmioOperation::kSbb:
      return subtract(left, right, carry, size);
    case MmioOperation::kOr:
      return logic(left | right, size);
    case MmioOperation::kXor:
      return logic(left ^ right, size);
    default:  // AND, TEST
      return logic(left & right, size);
  }
}

}  // namespace

std::uint64_t linear_address(const MmioInstruction& instruction, const MemoryOperand& operand,
                             const arch::Gprs& gprs, std::uint64_t rip,
                             std::uint64_t segment_base) {
  auto offset = static_cast<std::uint64_t>(operand.displacement);
  if (operand.rip_relative) {
    offset += rip + instruction.length;
  }
  if (operand.base) {
    offset += gprs[*operand.base];
  }
  if (operand.index) {
    offset += gprs[*operand.index] << operand.scale_shift;
  }
  if (operand.bit_offset) {
    const auto bits =
        static_cast<std::int64_t>(sign_extended(gprs[*operand.bit_offset], instruction.size));
    const int shift = instruction.size == 2 ? 4 : instruction.size == 4 ? 5 : 6;
    offset += static_cast<std::uint64_t>((bits >> shift) * instruction.size);
  }
  offset &= size_mask(operand.address_size);
  if (instruction.code_size != CodeSize::k64) {
    return (offset + segment_base) & 0xFFFF'FFFF;
  }
  const bool has_base =
      operand.segment == arch::Segment::kFs || operand.segment == arch::Segment::kGs;
  return offset + (has_base ? segment_base : 0);
}

MmioOutcome execute(const MmioInstruction& instruction, std::uint64_t memory, arch::Gprs& gprs,
                    std::uint64_t& rflags) {
  const MmioInstruction& in = instruction;
  const unsigned size = in.size;
  memory &= size_mask(size);
  const std::uint64_t reg = read_register(gprs, in.reg, in.register_size);
  const std::uint64_t operand = in.immediate ? *in.immediate & size_mask(size) : reg;
  switch (in.operation) {
    case MmioOperation::kMoveString:
    case MmioOperation::kStoreString:
    case MmioOperation::kLoadString:
      return string_element(in, memory, gprs, rflags);
    case MmioOperation::kMove:
      if (in.memory_is_left) {
        return {true, operand, true};
      }
      write_register(gprs, in.reg, in.register_size,
                     in.sign_extend ? sign_extended(memory, size) : memory);
      return {};
    case MmioOperation::kExchange:
      write_register(gprs, in.reg, size, memory);
      return {true, operand, true};
    case MmioOperation::kCompareExchange: {
      const std::uint64_t accumulator = read_register(gprs, {Gpr::kRax, false}, size);
      set_flags(rflags, flags::kArithmetic, subtract(accumulator, memory, false, size).flags);
      if (accumulator == memory) {
        return {true, operand, true};
      }
      write_register(gprs, {Gpr::kRax, false}, size, memory);
      return {true, memory, true};  // the processor writes the old value back
    }
    case MmioOperation::kExchangeAdd: {
      const Alu sum = add(memory, operand, false, size);
      set_flags(rflags, flags::kArithmetic, sum.flags);
      write_register(gprs, in.reg, size, memory);
      return {true, sum.value, true};
    }
    case MmioOperation::kBitTest:
    case MmioOperation::kBitSet:
    case MmioOperation::kBitReset:
    case MmioOperation::kBitComplement:
      return bit_operation(in, memory, operand, rflags);
    case MmioOperation::kNot:
      return {true, ~memory & size_mask(size), true};
    case MmioOperation::kNeg: {
      const Alu negated = subtract(0, memory, false, size);
      set_flags(rflags, flags::kArithmetic, negated.flags);
      return {true, negated.value, true};
    }
    case MmioOperation::kIncrement:
    case MmioOperation::kDecrement: {
      const Alu result = in.operation == MmioOperation::kIncrement
                             ? add(memory, 1, false, size)
                             : subtract(memory, 1, false, size);
      set_flags(rflags, flags::kArithmetic & ~flags::kCf, result.flags);
      return {true, result.value, true};
    }
    case MmioOperation::kPush:
      gprs[Gpr::kRsp] -= size;
      return {true, memory, true};
    case MmioOperation::kPop:
      gprs[Gpr::kRsp] += size;
      return {true, memory, true};
    default:
      break;
  }
  const Alu result =
      arithmetic(in.operation, in.memory_is_left ? memory : operand,
                 in.memory_is_left ? operand : memory, (rflags & flags::kCf) != 0, size);
  set_flags(rflags, flags::kArithmetic, result.flags);
  if (in.operation == MmioOperation::kCmp || in.operation == MmioOperation::kTest) {
    return {};
  }
  if (in.memory_is_left) {
    return {true, result.value, true};
  }
  write_register(gprs, in.reg, size, result.value);
  return {};
}

}  // namespace archelon::guest
