// Touches all I/O ports but those that end or reset the machine, memory where nothing is, and all
// of PCI's configuration space. Nothing there may end the machine; what is absent reads as all
// ones.
#include "runtime/boot_info.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"

using namespace guest;

namespace {

struct Range {
  std::uint32_t first;
  std::uint32_t last;
};

// Debug console and exit, i8042, port 0x92, PCI and reset control, ACPI's registers, COM1, the
// emulator's shutdown port, disks and VGA of a bare machine.
constexpr Range kSpared[] = {{0x60, 0x6f},     {0x92, 0x92},   {0xe9, 0xe9},    {0xf4, 0xf7},
                             {0xcf8, 0xcff},   {0x1f0, 0x1f7}, {0x170, 0x177},  {0x3b0, 0x3df},
                             {0x370, 0x377},   {0x3f0, 0x3ff}, {0x400, 0x6ff},  {0xb000, 0xb1ff},
                             {0x8900, 0x8900}, {0x1ce, 0x1d1}, {0xc000, 0xffff}};

bool spared(std::uint32_t port) {
  for (const Range& r : kSpared) {
    if (port >= r.first && port <= r.last) return true;
  }
  return false;
}

bool spared_near(std::uint32_t port) {
  for (std::uint32_t p = port; p < port + 4; ++p) {
    if (spared(p)) return true;
  }
  return false;
}

void ports() {
  std::uint64_t touched = 0;
  std::uint64_t present = 0;
  for (std::uint32_t p = 0; p < 0x10000; ++p) {
    if (spared(p)) continue;
    const auto port = static_cast<std::uint16_t>(p);
    const std::uint8_t value = inb(port);
    outb(port, value);
    if (p >= 0x2000 && p < 0x8000 && value != 0xff) ++present;
    ++touched;
    if ((p & 0x3f) != 0 || spared_near(p)) continue;
    const std::uint16_t word = inw(port);
    outw(port, word);
    const std::uint32_t dword = inl(port);
    outl(port, dword);
    if (p >= 0x2000 && p < 0x8000 && (word != 0xffff || dword != 0xffffffff)) ++present;
  }
  line("ports touched: ", touched);
  line("ports present between 0x2000 and 0x8000: ", present);
}

void strings() {
  std::array<std::uint8_t, 64> bytes{};
  void* to = bytes.data();
  std::uint64_t count = bytes.size();
  asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x2345) : "memory");
  std::uint64_t ones = 0;
  for (const std::uint8_t b : bytes) ones += b == 0xff ? 1 : 0;
  line("rep insb: all ones ", ones, ", left ", count);
  const void* from = bytes.data();
  count = bytes.size() / 4;
  asm volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(0x2345) : "memory");
  line("rep outsl: left ", count);
}

template <typename T>
bool reads_ones(std::uint64_t gpa) {
  volatile_write<T>(gpa, 0);
  return volatile_read<T>(gpa) == static_cast<T>(~T{0});
}

// Read-only memory of ones, for the guest and for the hypervisor that reads it for an OUTS alike.
void option_roms() {
  std::uint64_t wrong = 0;
  for (std::uint64_t gpa = 0xc0000; gpa < 0xe0000; gpa += 0x1000) {
    if (!reads_ones<std::uint64_t>(gpa) || !reads_ones<std::uint8_t>(gpa + 0xfff)) ++wrong;
  }
  constexpr std::uint16_t kUartScratch = 0x3ff;
  asm volatile("outb %b0, %w1" : : "a"(0), "Nd"(kUartScratch));
  std::uint64_t from = 0xdffff;
  asm volatile("outsb" : "+S"(from) : "d"(kUartScratch) : "memory");
  std::uint8_t got = 0;
  asm volatile("inb %w1, %b0" : "=a"(got) : "Nd"(kUartScratch));
  line("option ROMs: wrong pages ", wrong, ", by OUTS ", got);
}

void holes() {
  const std::uint64_t end = (ram_end() + 0xfffff) & ~std::uint64_t{0xfffff};
  std::uint64_t good = 0;
  std::uint64_t tried = 0;
  for (const std::uint64_t gpa :
       {end + 0x100000, std::uint64_t{0x80000000}, std::uint64_t{0xd0000000},
        std::uint64_t{0xf1234560}, std::uint64_t{0xfed80000}}) {
    ++tried;
    const bool ones = reads_ones<std::uint8_t>(gpa) && reads_ones<std::uint16_t>(gpa + 2) &&
                      reads_ones<std::uint32_t>(gpa + 4) && reads_ones<std::uint64_t>(gpa + 8);
    if (ones) ++good;
  }
  line("memory holes all ones: ", good, " of ", tried);
  option_roms();
}

void pci() {
  std::uint64_t present = 0;
  for (std::uint32_t bdf = 0; bdf < 0x10000; ++bdf) {
    if (bdf >= 0x100 && (bdf & 7) != 0) continue;
    outl(0xcf8, 0x80000000 | bdf << 8);
    if (inl(0xcfc) == 0xffffffff) continue;
    ++present;
  }
  outl(0xcf8, 0x80000000 | 0xff << 16 | 31 << 11);
  const bool absent = inl(0xcfc) == 0xffffffff && inw(0xcfe) == 0xffff && inb(0xcff) == 0xff;
  outl(0xcfc, 0);
  outw(0xcfe, 0);
  outb(0xcff, 0);
  line("pci functions absent read as ones: ", absent);
  line("pci functions below 32: ", present < 32);
}

}  // namespace

GUEST_MAIN {
  ports();
  strings();
  holes();
  pci();
  return 0;
}
