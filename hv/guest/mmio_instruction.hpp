#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "hv/arch/registers.hpp"
#include "hv/arch/segment.hpp"
#include "hv/base/result.hpp"

// The instructions with which a guest touches emulated registers in memory (local APIC, I/O APIC).
// Decoding and executing are values in, values out; the caller does the memory accesses between.
// SDM Vol. 2, "Instruction Format" and the instruction set reference.
namespace archelon::guest {

// The default size of code: of CS.D, or 64-bit mode.
enum class CodeSize : std::uint8_t { k16, k32, k64 };

enum class MmioOperation : std::uint8_t {
  kAdd,  // the first eight in the order of their opcodes
  kOr,
  kAdc,
  kSbb,
  kAnd,
  kSub,
  kXor,
  kCmp,
  kTest,
  kMove,  // MOV, MOVZX, MOVSX, MOVSXD
  kExchange,
  kCompareExchange,
  kExchangeAdd,
  kBitTest,
  kBitSet,
  kBitReset,
  kBitComplement,
  kNot,
  kNeg,
  kIncrement,
  kDecrement,
  kMoveString,
  kStoreString,
  kLoadString,
  kPush,
  kPop,
};

struct MemoryOperand {
  arch::Segment segment = arch::Segment::kDs;
  std::optional<arch::Gpr> base;
  std::optional<arch::Gpr> index;
  std::uint8_t scale_shift = 0;
  std::uint8_t address_size = 8;  // bytes
  bool rip_relative = false;
  std::int64_t displacement = 0;
  // BT and its kin with a register: the operand lies this register's (signed) bits further on.
  std::optional<arch::Gpr> bit_offset;

  bool operator==(const MemoryOperand&) const = default;
};

struct RegisterOperand {
  arch::Gpr gpr = arch::Gpr::kRax;
  bool high_byte = false;  // AH, CH, DH, BH: bits 15:8 of `gpr`
};

struct MmioInstruction {
  MmioOperation operation = MmioOperation::kMove;
  CodeSize code_size = CodeSize::k64;
  std::uint8_t length = 0;         // bytes of the instruction
  std::uint8_t size = 0;           // bytes of the memory operand
  std::uint8_t register_size = 0;  // bytes of the register; larger than `size` in MOVZX and MOVSX
  bool sign_extend = false;
  bool reads = false;               // from `source`
  bool writes = false;              // to `destination`; the same operand when both are one
  bool two_operands = false;        // MOVS, PUSH, POP: `source` and `destination` are distinct
  bool memory_is_left = false;      // the result, if kept, goes to memory, not to the register
  bool repeat = false;              // REP: one element is done at a time
  std::uint8_t string_address = 8;  // bytes of RSI, RDI and RCX that a string instruction uses
  RegisterOperand reg;
  std::optional<std::uint64_t> immediate;  // sign-extended; in place of `reg`
  MemoryOperand source;
  MemoryOperand destination;
};

enum class MmioDecodeFault : std::uint8_t {
  kUnsupported,  // not among the instructions above, or it touches no memory
  kCutOff,       // more bytes are needed than were given
  kTooLong,      // above 15 bytes
};

inline constexpr std::size_t kMaxInstructionLength = 15;

// Decodes the instruction at the start of `bytes` (as many as could be fetched, 15 are enough).
[[nodiscard]] Result<MmioInstruction, MmioDecodeFault> decode(std::span<const std::byte> bytes,
                                                              CodeSize code_size);

// One line for a report: the fault and the bytes in hex.
std::string_view describe(std::span<char> out, MmioDecodeFault fault,
                          std::span<const std::byte> bytes);

// The linear address of one of the instruction's memory operands. `rip` is that of the instruction;
// `segment_base` is the base of `operand.segment` (in 64-bit mode taken for FS and GS alone).
// Limits and canonical form are not checked. To be asked before execute() changes the registers.
[[nodiscard]] std::uint64_t linear_address(const MmioInstruction& instruction,
                                           const MemoryOperand& operand, const arch::Gprs& gprs,
                                           std::uint64_t rip, std::uint64_t segment_base);

struct MmioOutcome {
  bool write = false;       // `value` goes to `destination`
  std::uint64_t value = 0;  // `size` bytes
  bool done = true;         // RIP advances by `length`; else the same instruction goes on (REP)
};

// Does the instruction but for its memory accesses. `memory` is what was read from `source` (any
// value when nothing is read). Registers (with RSP in its place) and arithmetic flags are updated
// as the SDM says; flags that it leaves undefined become 0 in logic operations and stay as they are
// in bit tests, as on the processors there are.
[[nodiscard]] MmioOutcome execute(const MmioInstruction& instruction, std::uint64_t memory,
                                  arch::Gprs& gprs, std::uint64_t& rflags);

}  // namespace archelon::guest
