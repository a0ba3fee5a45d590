// The mem* and str* functions that the compiler and the standard headers call. Written with string
// instructions so that no optimiser turns them into calls to themselves.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) {
  // By words as far as they go: as fast as by bytes where the CPU has fast strings, eight times
  // faster where it has not (older CPUs, emulators), and a VM's memory is copied and cleared here.
  void* destination = to;
  std::size_t words = size / 8;
  std::size_t bytes = size % 8;
  asm volatile("rep movsq" : "+D"(destination), "+S"(from), "+c"(words) : : "memory");
  asm volatile("rep movsb" : "+D"(destination), "+S"(from), "+c"(bytes) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) {
  const auto distance =
      reinterpret_cast<std::uintptr_t>(to) - reinterpret_cast<std::uintptr_t>(from);
  if (distance >= size) {
    return memcpy(to, from, size);
  }
  void* destination = static_cast<char*>(to) + size - 1;
  const void* source = static_cast<const char*>(from) + size - 1;
  asm volatile("std\n\trep movsb\n\tcld"
               : "+D"(destination), "+S"(source), "+c"(size)
               :
               : "memory", "cc");
  return to;
}

void* memset(void* to, int value, std::size_t size) {
  void* destination = to;
  const std::uint64_t word = 0x0101010101010101u * static_cast<unsigned char>(value);
  std::size_t words = size / 8;
  std::size_t bytes = size % 8;
  asm volatile("rep stosq" : "+D"(destination), "+c"(words) : "a"(word) : "memory");
  asm volatile("rep stosb" : "+D"(destination), "+c"(bytes) : "a"(word) : "memory");
  return to;
}

int memcmp(const void* left, const void* right, std::size_t size) {
  const auto* a = static_cast<const unsigned char*>(left);
  const auto* b = static_cast<const unsigned char*>(right);
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) {
      return a[i] < b[i] ? -1 : 1;
    }
  }
  return 0;
}

void* memchr(const void* memory, int value, std::size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(memory);
  for (std::size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) {
      return const_cast<unsigned char*>(bytes + i);
    }
  }
  return nullptr;
}

std::size_t strlen(const char* text) {
  std::size_t length = 0;
  while (text[length] != '\0') {
    // Keeps the optimiser from recognising strlen in strlen.
    asm volatile("");
    ++length;
  }
  return length;
}

}  // extern "C"

// GCC calls this for std::popcount, since not every x86-64 CPU has POPCNT.
extern "C" int __popcountdi2(long value);
extern "C" int __popcountdi2(long value) {
  constexpr std::uint64_t kOnes = 0x0101'0101'0101'0101;
  auto v = static_cast<std::uint64_t>(value);
  v -= (v >> 1) & 0x5555'5555'5555'5555;
  v = (v & 0x3333'3333'3333'3333) + ((v >> 2) & 0x3333'3333'3333'3333);
  v = (v + (v >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;
  return static_cast<int>((v * kOnes) >> 56);
}
