#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace archelon::shell {

// Gathers a console's bytes into lines, so that the lines of several VMs on one serial line do not
// tear. A carriage return is dropped, other control characters but tab and escape become '.', and
// a line that outgrows the buffer is handed out in pieces.
class LineBuffer {
 public:
  // Calls `line(std::string_view)` for each line that `byte` completes.
  template <class F>
  void put(std::uint8_t byte, F line) {
    if (byte == '\r') {
      return;
    }
    if (byte == '\n') {
      flush(line, true);
      return;
    }
    if (used_ == buffer_.size()) {
      flush(line, true);
    }
    const bool printable = byte >= 0x20 || byte == '\t' || byte == 0x1b;
    buffer_[used_++] = printable && byte != 0x7f ? static_cast<char>(byte) : '.';
  }
  // Hands out an unfinished line, if there is one.
  template <class F>
  void flush(F line) {
    flush(line, false);
  }
  [[nodiscard]] std::string_view unfinished() const { return {buffer_.data(), used_}; }

 private:
  template <class F>
  void flush(F line, bool even_if_empty) {
    if (used_ != 0 || even_if_empty) {
      line(std::string_view(buffer_.data(), used_));
    }
    used_ = 0;
  }

  std::array<char, 200> buffer_{};
  std::size_t used_ = 0;
};

}  // namespace archelon::shell
