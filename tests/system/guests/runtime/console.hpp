// Output: the debug console, and COM1 when the command line has the word "serial".
#pragma once

#include <concepts>
#include <cstdint>

namespace guest {

struct Hex {
  std::uint64_t value;
};
constexpr Hex hex(std::uint64_t value) {
  return {value};
}

void enable_serial();

void put(char c);
void put(const char* text);
void put(Hex number);
void put_decimal(std::uint64_t number);

void put(std::unsigned_integral auto number) {
  put_decimal(number);
}
void put(std::signed_integral auto number) {
  if (number < 0) put('-');
  put_decimal(number < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(number)
                         : static_cast<std::uint64_t>(number));
}
inline void put(bool yes) {
  put(yes ? "yes" : "no");
}

// Prints the parts and ends the line.
template <typename... Parts>
void line(Parts... parts) {
  (put(parts), ...);
  put('\n');
}

// Ends the machine: debug-exit where it is present, else the emulator's shutdown port, else ACPI
// S5. Code 0 says success.
[[noreturn]] void finish(std::uint8_t code);

// Ends with code 1 after one line.
template <typename... Parts>
[[noreturn]] void fail(Parts... parts) {
  put("FAIL: ");
  line(parts...);
  finish(1);
}

// Each guest defines its name (by GUEST_NAME) and its main, whose value is the exit code.
extern const char* const guest_name;
std::uint8_t guest_main();

}  // namespace guest

#define GUEST_MAIN                                  \
  const char* const guest::guest_name = GUEST_NAME; \
  std::uint8_t guest::guest_main()
