#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include "hv/shell/line_buffer.hpp"

namespace archelon::shell {

// Where a VM's output goes. A typing user is at a terminal, which shows bytes as they come; the
// other consoles get whole lines only.
template <class S>
concept VmConsoleSink = requires(S sink, std::string_view text) {
  sink.line(text);        // a completed line, on every console
  sink.record(text);      // the same, on those that are no terminals: these have shown it
  sink.unfinished(text);  // the beginning of a line, with the VM's name, on the terminals
  sink.raw(text);         // as it is, on the terminals
  // How often the terminals' unfinished line was cut by another line.
  { sink.interruptions() } -> std::same_as<std::uint32_t>;
};

// A VM's serial output on its way to L0's consoles. Each line reaches every console as a whole,
// with the VM's name, so that the lines of several VMs do not tear. To let a user talk to the VM,
// a line that does not end, such as a login prompt, can be shown on the terminals as it grows, and
// as long as the user types, the terminals get the VM's bytes as they are.
class VmConsole {
 public:
  template <VmConsoleSink S>
  void put(std::uint8_t byte, S&& sink) {
    ++bytes_;
    // What was shown of the line is no longer in sight: it is begun again.
    if (view_ == View::kGrowingLine && sink.interruptions() != interruptions_) {
      view_ = View::kLines;
    }
    if (view_ != View::kLines) {
      const char c = static_cast<char>(byte);
      sink.raw(std::string_view(&c, 1));
    }
    lines_.put(byte, [&](std::string_view line) { complete(line, sink); });
    if (byte == '\n' && view_ == View::kGrowingLine) {
      view_ = View::kLines;
    }
  }

  // The VM has been silent within a line: shows what there is of it.
  template <VmConsoleSink S>
  void show_unfinished(S&& sink) {
    if (view_ == View::kLines && !lines_.unfinished().empty()) {
      sink.unfinished(lines_.unfinished());
      interruptions_ = sink.interruptions();
      view_ = View::kGrowingLine;
    }
  }

  // From here on the terminals show everything as it comes, until go_by_lines().
  template <VmConsoleSink S>
  void go_raw(S&& sink) {
    const bool is_in_sight = view_ == View::kGrowingLine && sink.interruptions() == interruptions_;
    if (view_ != View::kRaw && !is_in_sight) {
      sink.raw(lines_.unfinished());
    }
    view_ = View::kRaw;
  }
  void go_by_lines() { view_ = View::kLines; }

  // The VM has ended: prints what is left.
  template <VmConsoleSink S>
  void flush(S&& sink) {
    lines_.flush([&](std::string_view line) { complete(line, sink); });
    view_ = View::kLines;
  }

  [[nodiscard]] bool is_raw() const { return view_ == View::kRaw; }
  // Counts what the VM wrote, to see whether it is silent.
  [[nodiscard]] std::uint32_t bytes() const { return bytes_; }

 private:
  enum class View : std::uint8_t { kLines, kGrowingLine, kRaw };

  template <class S>
  void complete(std::string_view line, S&& sink) {
    view_ == View::kLines ? sink.line(line) : sink.record(line);
  }

  LineBuffer lines_;
  View view_ = View::kLines;
  std::uint32_t interruptions_ = 0;  // when the growing line was begun
  std::uint32_t bytes_ = 0;
};

}  // namespace archelon::shell
