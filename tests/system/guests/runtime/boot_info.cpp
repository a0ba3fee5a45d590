#include "runtime/boot_info.hpp"

#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"

extern "C" [[noreturn]] void guest_start(std::uint32_t magic, std::uint32_t information);
extern "C" std::uint8_t image_start[];

namespace guest {
namespace {

constexpr std::uint32_t kMagic1 = 0x2badb002;
constexpr std::uint32_t kMagic2 = 0x36d76289;

constinit BootInfo info{};

template <typename T>
T at(std::uint64_t address) {
  T value;
  __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof value);
  return value;
}

void add_memory(std::uint64_t base, std::uint64_t length, std::uint32_t type) {
  if (info.memory_ranges < info.memory.size()) {
    info.memory[info.memory_ranges++] = MemoryRange{base, length, type};
  }
}

void read_multiboot1(std::uint64_t p) {
  info.multiboot = 1;
  const auto flags = at<std::uint32_t>(p);
  if ((flags & (1 << 2)) != 0) {
    info.command_line = reinterpret_cast<const char*>(std::uint64_t{at<std::uint32_t>(p + 16)});
  }
  if ((flags & (1 << 3)) != 0) info.modules = at<std::uint32_t>(p + 20);
  if ((flags & (1 << 6)) != 0) {
    std::uint64_t entry = at<std::uint32_t>(p + 48);
    const std::uint64_t end = entry + at<std::uint32_t>(p + 44);
    while (entry < end) {
      add_memory(at<std::uint64_t>(entry + 4), at<std::uint64_t>(entry + 12),
                 at<std::uint32_t>(entry + 20));
      entry += at<std::uint32_t>(entry) + 4;
    }
  }
}

void read_multiboot2(std::uint64_t p) {
  info.multiboot = 2;
  const std::uint64_t end = p + at<std::uint32_t>(p);
  for (std::uint64_t tag = p + 8; tag < end;) {
    const auto type = at<std::uint32_t>(tag);
    const auto size = at<std::uint32_t>(tag + 4);
    if (type == 0) break;
    if (type == 1) info.command_line = reinterpret_cast<const char*>(tag + 8);
    if (type == 3) ++info.modules;
    if (type == 6) {
      const auto entry_size = at<std::uint32_t>(tag + 8);
      for (std::uint64_t e = tag + 16; e < tag + size; e += entry_size) {
        add_memory(at<std::uint64_t>(e), at<std::uint64_t>(e + 8), at<std::uint32_t>(e + 16));
      }
    }
    tag += (size + 7) & ~7U;
  }
}

// Where the text behind the word's last character is, if the word begins at a word's begin.
const char* find_word(const char* word, bool whole) {
  bool begin = true;
  for (const char* s = info.command_line; *s != 0; ++s) {
    if (begin) {
      std::size_t n = 0;
      while (word[n] != 0 && s[n] == word[n]) ++n;
      if (word[n] == 0 && (!whole || s[n] == 0 || s[n] == ' ')) return s + n;
    }
    begin = *s == ' ';
  }
  return nullptr;
}

}  // namespace

const BootInfo& boot_info() {
  return info;
}

bool command_line_has(const char* word) {
  return find_word(word, true) != nullptr;
}

std::uint64_t command_line_number(const char* key, std::uint64_t otherwise) {
  const char* s = find_word(key, false);
  if (s == nullptr || *s != '=') return otherwise;
  std::uint64_t value = 0;
  for (++s; *s >= '0' && *s <= '9'; ++s) value = value * 10 + static_cast<unsigned>(*s - '0');
  return value;
}

std::uint64_t ram_end() {
  for (std::size_t i = 0; i < info.memory_ranges; ++i) {
    const MemoryRange& r = info.memory[i];
    if (r.type == 1 && r.base <= address_of(image_start) &&
        r.base + r.length > address_of(image_start)) {
      return r.base + r.length;
    }
  }
  return 0;
}

}  // namespace guest

void guest_start(std::uint32_t magic, std::uint32_t information) {
  using namespace guest;
  install_idt();
  // The firmware's timer goes on; nobody here wants it.
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  if (magic == kMagic1) read_multiboot1(information);
  if (magic == kMagic2) read_multiboot2(information);
  if (command_line_has("serial")) enable_serial();
  line("begin ", guest_name);
  finish(guest_main());
}
