// What the headers and the compiler expect of a runtime, each ending in a panic: there are no
// exceptions, and a broken precondition is a broken invariant of ours.
#include <string_view>

#include "hv/base/assert.hpp"
#include "hv/panic.hpp"

namespace archelon {

void assertion_failed(const char* condition, const char* file, int line) {
  hv::panic("assertion failed: {} at {}:{}", condition, file, line);
}

}  // namespace archelon

extern "C" [[noreturn]] void abort() {
  archelon::hv::panic("abort");
}

namespace std {

// libstdc++'s hook for out-of-range indices and the like (_GLIBCXX_ASSERTIONS).
void __glibcxx_assert_fail(const char* file, int line, const char* function,
                           const char* condition) noexcept {
  if (file == nullptr || condition == nullptr || function == nullptr) {
    archelon::hv::panic("unreachable code reached");
  }
  archelon::assertion_failed(condition, file, line);
}

// string_view::substr and at.
void __throw_out_of_range_fmt(const char* text, ...) {
  archelon::hv::panic("out of range: {}", text);
}

}  // namespace std
