#pragma once

#include <array>
#include <string_view>

#include "hv/base/format.hpp"

namespace archelon::shell {

// Where the shell writes: the consoles in the kernel, a string in the tests.
class Output {
 public:
  using Write = void (*)(void* context, std::string_view text);
  constexpr Output(Write write, void* context) : write_(write), context_(context) {}

  // As it is; `\n` ends a line.
  void text(std::string_view text) const {
    if (!text.empty()) {
      write_(context_, text);
    }
  }
  // One formatted line, cut at kLineSize.
  template <class... Args>
  void line(std::string_view pattern, const Args&... args) const {
    std::array<char, kLineSize + 1> buffer;
    const std::string_view line = format(std::span(buffer).first(kLineSize), pattern, args...);
    buffer[line.size()] = '\n';
    text({buffer.data(), line.size() + 1});
  }

 private:
  static constexpr std::size_t kLineSize = 200;

  Write write_;
  void* context_;
};

}  // namespace archelon::shell
