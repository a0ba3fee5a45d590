#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/byte_reader.hpp"
#include "hv/guest/mmio_instruction.hpp"

namespace archelon::guest {

// The parts of a ModRM byte that are no memory operand.
struct ModRm {
  std::uint8_t reg = 0;    // with REX.R
  std::uint8_t group = 0;  // without
};

// Reads the parts that all instructions share: prefixes, ModRM with its memory operand, immediates.
// Past the end of the bytes everything reads as 0 and `cut_off` answers true.
class InstructionReader {
 public:
  InstructionReader(std::span<const std::byte> bytes, CodeSize code_size)
      : reader_(bytes.first(bytes.size() < kMaxInstructionLength ? bytes.size()
                                                                 : kMaxInstructionLength)),
        code_size_(code_size) {}

  template <class T>
  T next() {
    const auto value = reader_.get<T>(at_);
    if (!value) {
      cut_off_ = true;
      return T{0};
    }
    at_ += sizeof(T);
    return *value;
  }

  // Reads all prefixes and settles the sizes.
  void read_prefixes();

  // ModRM, SIB and displacement of a memory operand; nothing when it names a register.
  [[nodiscard]] std::optional<ModRm> read_memory_operand(MemoryOperand& operand);

  // An immediate of 1, 2 or (for all larger sizes) 4 bytes, sign-extended.
  [[nodiscard]] std::uint64_t read_immediate(std::uint8_t size);

  [[nodiscard]] bool cut_off() const { return cut_off_; }
  [[nodiscard]] std::size_t position() const { return at_; }
  [[nodiscard]] bool is64() const { return code_size_ == CodeSize::k64; }
  [[nodiscard]] bool lock() const { return lock_; }
  [[nodiscard]] bool repeat() const { return repeat_; }
  [[nodiscard]] bool has_rex() const { return rex_ != 0; }
  [[nodiscard]] std::uint8_t operand_size() const { return operand_size_; }
  [[nodiscard]] std::uint8_t address_size() const { return address_size_; }
  [[nodiscard]] arch::Segment segment_or(arch::Segment usual) const {
    return override_.value_or(usual);
  }

 private:
  void read_memory16(MemoryOperand& operand, std::uint8_t mod, std::uint8_t rm);
  void read_memory32(MemoryOperand& operand, std::uint8_t mod, std::uint8_t rm);
  [[nodiscard]] std::uint8_t rex_bit(unsigned bit) const {
    return static_cast<std::uint8_t>(((rex_ >> bit) & 1U) << 3);
  }

  ByteReader reader_;
  CodeSize code_size_;
  std::size_t at_ = 0;
  bool cut_off_ = false;
  bool lock_ = false;
  bool repeat_ = false;
  std::uint8_t rex_ = 0;
  std::uint8_t operand_size_ = 4;  // bytes
  std::uint8_t address_size_ = 8;
  std::optional<arch::Segment> override_;
};

}  // namespace archelon::guest
