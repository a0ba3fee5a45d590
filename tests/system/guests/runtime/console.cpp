#include "runtime/console.hpp"

#include "runtime/cpu.hpp"

namespace guest {
namespace {

constexpr std::uint16_t kDebugConsole = 0xe9;
constexpr std::uint16_t kDebugExit = 0xf4;
constexpr std::uint16_t kCom1 = 0x3f8;

constinit bool serial = false;

void put_serial(char c) {
  while ((inb(kCom1 + 5) & 0x20) == 0) pause();
  outb(kCom1, static_cast<std::uint8_t>(c));
}

}  // namespace

void enable_serial() {
  outb(kCom1 + 1, 0);
  outb(kCom1 + 3, 0x80);
  outb(kCom1, 1);
  outb(kCom1 + 1, 0);
  outb(kCom1 + 3, 3);
  outb(kCom1 + 2, 7);
  outb(kCom1 + 4, 3);
  serial = true;
}

void put(char c) {
  outb(kDebugConsole, static_cast<std::uint8_t>(c));
  if (!serial) return;
  if (c == '\n') put_serial('\r');
  put_serial(c);
}

void put(const char* text) {
  for (; *text != 0; ++text) put(*text);
}

void put(Hex number) {
  put("0x");
  int shift = 60;
  while (shift > 0 && (number.value >> shift) == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) put("0123456789abcdef"[(number.value >> shift) & 0xf]);
}

void put_decimal(std::uint64_t number) {
  char digits[20];
  int n = 0;
  do {
    digits[n++] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  while (n > 0) put(digits[--n]);
}

void finish(std::uint8_t code) {
  line("end ", guest_name, " code ", code);
  if (serial) {
    while ((inb(kCom1 + 5) & 0x40) == 0) pause();
  }
  outb(kDebugExit, code);
  for (const char* s = "Shutdown"; *s != 0; ++s) outb(0x8900, static_cast<std::uint8_t>(*s));
  outw(0xb004, 0x3400);
  outw(0x604, 0x2000);
  for (;;) {
    cli();
    hlt();
  }
}

}  // namespace guest
