#include "hv/base/format.hpp"
#include "hv/guest/instruction_reader.hpp"
#include "hv/guest/mmio_instruction.hpp"

namespace archelon::guest {
namespace {

using arch::Gpr;
using arch::Segment;

class Decoder {
 public:
  Decoder(std::span<const std::byte> bytes, CodeSize code_size)
      : in_(bytes, code_size), given_(bytes.size()) {
    out_.code_size = code_size;
  }

  Result<MmioInstruction, MmioDecodeFault> run() {
    in_.read_prefixes();
    const std::uint8_t opcode = in_.next<std::uint8_t>();
    const bool known = opcode == 0x0F ? two_byte(in_.next<std::uint8_t>()) : one_byte(opcode);
    if (in_.cut_off()) {
      return Err{given_ < kMaxInstructionLength ? MmioDecodeFault::kCutOff
                                                : MmioDecodeFault::kTooLong};
    }
    if (!known || (in_.lock() && !lockable())) {
      return Err{MmioDecodeFault::kUnsupported};
    }
    out_.length = static_cast<std::uint8_t>(in_.position());
    return out_;
  }

 private:
  // Bit 0 of most opcodes chooses between a byte and the operand size.
  void set_size(std::uint8_t opcode) {
    out_.size = (opcode & 1) != 0 ? in_.operand_size() : 1;
    out_.register_size = out_.size;
  }

  void set_register(std::uint8_t number, std::uint8_t size) {
    const bool high = size == 1 && !in_.has_rex() && number >= 4;
    out_.reg = {static_cast<Gpr>(high ? number - 4 : number), high};
  }

  void set_immediate(std::uint8_t size) { out_.immediate = in_.read_immediate(size); }

  bool finish(MmioOperation operation, bool reads, bool writes) {
    out_.operation = operation;
    out_.reads = reads;
    out_.writes = writes;
    out_.destination = out_.source;
    return true;
  }

  // Memory and register, of one size.
  bool with_register(std::uint8_t opcode, MmioOperation operation, bool memory_is_left, bool reads,
                     bool writes) {
    set_size(opcode);
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields) {
      return false;
    }
    set_register(fields->reg, out_.size);
    out_.memory_is_left = memory_is_left;
    return finish(operation, reads, writes);
  }

  bool extending_move(std::uint8_t size, std::uint8_t register_size, bool sign_extend) {
    out_.size = size;
    out_.register_size = register_size;
    out_.sign_extend = sign_extend;
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields) {
      return false;
    }
    set_register(fields->reg, register_size);
    return finish(MmioOperation::kMove, true, false);
  }

  bool one_byte(std::uint8_t opcode) {
    if (opcode < 0x40 && (opcode & 7) < 4) {
      const auto operation = static_cast<MmioOperation>(opcode >> 3);
      const bool memory_is_left = (opcode & 2) == 0;
      return with_register(opcode, operation, memory_is_left, true,
                           memory_is_left && operation != MmioOperation::kCmp);
    }
    switch (opcode) {
      case 0x63:
        return in_.is64() &&
               extending_move(in_.operand_size() == 2 ? 2 : 4, in_.operand_size(), true);
      case 0x80:
      case 0x81:
      case 0x83:
        return arithmetic_immediate(opcode);
      case 0x84:
      case 0x85:
        return with_register(opcode, MmioOperation::kTest, true, true, false);
      case 0x86:
      case 0x87:
        return with_register(opcode, MmioOperation::kExchange, true, true, true);
      case 0x88:
      case 0x89:
        return with_register(opcode, MmioOperation::kMove, true, false, true);
      case 0x8A:
      case 0x8B:
        return with_register(opcode, MmioOperation::kMove, false, true, false);
      case 0x8F:
        return pop();
      case 0xA0:
      case 0xA1:
      case 0xA2:
      case 0xA3:
        return move_absolute(opcode);
      case 0xA4:
      case 0xA5:
        return string(opcode, MmioOperation::kMoveString);
      case 0xAA:
      case 0xAB:
        return string(opcode, MmioOperation::kStoreString);
      case 0xAC:
      case 0xAD:
        return string(opcode, MmioOperation::kLoadString);
      case 0xC6:
      case 0xC7:
        return move_immediate(opcode);
      case 0xF6:
      case 0xF7:
      case 0xFE:
      case 0xFF:
        return unary(opcode);
      default:
        return false;
    }
  }

  bool two_byte(std::uint8_t opcode) {
    switch (opcode) {
      case 0xA3:
      case 0xAB:
      case 0xB3:
      case 0xBB:
        return bit_register(opcode);
      case 0xBA:
        return bit_immediate();
      case 0xB0:
      case 0xB1:
        return with_register(opcode, MmioOperation::kCompareExchange, true, true, true);
      case 0xC0:
      case 0xC1:
        return with_register(opcode, MmioOperation::kExchangeAdd, true, true, true);
      case 0xB6:
      case 0xB7:
      case 0xBE:
      case 0xBF:
        return extending_move((opcode & 1) != 0 ? 2 : 1, in_.operand_size(), opcode >= 0xBE);
      default:
        return false;
    }
  }

  bool arithmetic_immediate(std::uint8_t opcode) {
    set_size(opcode);
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields) {
      return false;
    }
    set_immediate(opcode == 0x83 ? 1 : out_.size);
    out_.memory_is_left = true;
    const auto operation = static_cast<MmioOperation>(fields->group);
    return finish(operation, true, operation != MmioOperation::kCmp);
  }

  bool move_immediate(std::uint8_t opcode) {
    set_size(opcode);
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields || fields->group != 0) {
      return false;
    }
    set_immediate(out_.size);
    out_.memory_is_left = true;
    return finish(MmioOperation::kMove, false, true);
  }

  bool move_absolute(std::uint8_t opcode) {
    set_size(opcode);
    out_.source.address_size = in_.address_size();
    out_.source.segment = in_.segment_or(Segment::kDs);
    switch (in_.address_size()) {
      case 2:
        out_.source.displacement = in_.next<std::uint16_t>();
        break;
      case 4:
        out_.source.displacement = in_.next<std::uint32_t>();
        break;
      default:
        out_.source.displacement = in_.next<std::int64_t>();
        break;
    }
    out_.reg = {};
    out_.memory_is_left = opcode >= 0xA2;
    return finish(MmioOperation::kMove, !out_.memory_is_left, out_.memory_is_left);
  }

  bool string(std::uint8_t opcode, MmioOperation operation) {
    set_size(opcode);
    out_.string_address = in_.address_size();
    out_.repeat = in_.repeat();
    out_.source = {.segment = in_.segment_or(Segment::kDs),
                   .base = Gpr::kRsi,
                   .index = {},
                   .address_size = in_.address_size(),
                   .bit_offset = {}};
    out_.destination = {.segment = Segment::kEs,
                        .base = Gpr::kRdi,
                        .index = {},
                        .address_size = in_.address_size(),
                        .bit_offset = {}};
    out_.operation = operation;
    out_.two_operands = operation == MmioOperation::kMoveString;
    out_.reads = operation != MmioOperation::kStoreString;
    out_.writes = operation != MmioOperation::kLoadString;
    return true;
  }

  bool unary(std::uint8_t opcode) {
    set_size(opcode);
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields) {
      return false;
    }
    out_.memory_is_left = true;
    if (opcode >= 0xFE) {
      if (fields->group == 6 && opcode == 0xFF) {
        return push();
      }
      return fields->group < 2 &&
             finish(fields->group == 0 ? MmioOperation::kIncrement : MmioOperation::kDecrement,
                    true, true);
    }
    switch (fields->group) {
      case 0:
        set_immediate(out_.size);
        return finish(MmioOperation::kTest, true, false);
      case 2:
        return finish(MmioOperation::kNot, true, true);
      case 3:
        return finish(MmioOperation::kNeg, true, true);
      default:
        return false;
    }
  }

  // PUSH and POP of memory: in 64-bit mode alone, where the stack's width is known from the code.
  void set_stack_size() { out_.size = out_.register_size = in_.operand_size() == 2 ? 2 : 8; }

  bool push() {
    if (!in_.is64()) {
      return false;
    }
    set_stack_size();
    finish(MmioOperation::kPush, true, true);
    out_.destination = {.segment = Segment::kSs,
                        .base = Gpr::kRsp,
                        .index = {},
                        .displacement = -std::int64_t{out_.size},
                        .bit_offset = {}};
    out_.two_operands = true;
    return true;
  }

  bool pop() {
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields || fields->group != 0 || !in_.is64()) {
      return false;
    }
    set_stack_size();
    finish(MmioOperation::kPop, true, true);
    if (out_.destination.base == Gpr::kRsp) {  // addressed by RSP after its increment
      out_.destination.displacement += out_.size;
    }
    out_.source = {.segment = Segment::kSs, .base = Gpr::kRsp, .index = {}, .bit_offset = {}};
    out_.two_operands = true;
    return true;
  }

  bool bit_register(std::uint8_t opcode) {
    const auto operation = static_cast<MmioOperation>(
        static_cast<unsigned>(MmioOperation::kBitTest) + ((opcode >> 3) & 3U));
    if (!with_register(1, operation, true, true, operation != MmioOperation::kBitTest)) {
      return false;
    }
    out_.source.bit_offset = out_.reg.gpr;
    out_.destination = out_.source;
    return true;
  }

  bool bit_immediate() {
    set_size(1);
    const auto fields = in_.read_memory_operand(out_.source);
    if (!fields || fields->group < 4) {
      return false;
    }
    set_immediate(1);
    out_.memory_is_left = true;
    const auto operation = static_cast<MmioOperation>(
        static_cast<unsigned>(MmioOperation::kBitTest) + (fields->group & 3U));
    return finish(operation, true, operation != MmioOperation::kBitTest);
  }

  // LOCK goes with read-modify-write of memory only; elsewhere the processor raises #UD.
  [[nodiscard]] bool lockable() const { return out_.reads && out_.writes && !out_.two_operands; }

  InstructionReader in_;
  std::size_t given_;
  MmioInstruction out_;
};

}  // namespace

Result<MmioInstruction, MmioDecodeFault> decode(std::span<const std::byte> bytes,
                                                CodeSize code_size) {
  return Decoder(bytes, code_size).run();
}

std::string_view describe(std::span<char> out, MmioDecodeFault fault,
                          std::span<const std::byte> bytes) {
  const char* reason = "unsupported instruction";
  if (fault == MmioDecodeFault::kCutOff) {
    reason = "instruction that cannot be fetched whole";
  } else if (fault == MmioDecodeFault::kTooLong) {
    reason = "instruction of more than 15 bytes";
  }
  std::size_t used = format(out, "{}, bytes", reason).size();
  for (const std::byte byte :
       bytes.first(bytes.size() < kMaxInstructionLength ? bytes.size() : kMaxInstructionLength)) {
    used += format(out.subspan(used), " {:02x}", static_cast<unsigned>(byte)).size();
  }
  return {out.data(), used};
}

}  // namespace archelon::guest
