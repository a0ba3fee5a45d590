// The functions that the compiler calls on its own.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memset(void* to, int value, std::size_t n) {
  void* p = to;
  asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(value) : "memory");
  return to;
}

void* memcpy(void* to, const void* from, std::size_t n) {
  void* p = to;
  asm volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, std::size_t n) {
  auto* d = static_cast<std::uint8_t*>(to);
  const auto* s = static_cast<const std::uint8_t*>(from);
  if (d <= s) return memcpy(to, from, n);
  while (n-- > 0) {
    d[n] = s[n];
    asm volatile("" : : : "memory");  // not to become a call of memmove
  }
  return to;
}

int memcmp(const void* a, const void* b, std::size_t n) {
  const auto* x = static_cast<const std::uint8_t*>(a);
  const auto* y = static_cast<const std::uint8_t*>(b);
  for (std::size_t i = 0; i < n; ++i) {
    if (x[i] != y[i]) return x[i] - y[i];
  }
  return 0;
}
}
