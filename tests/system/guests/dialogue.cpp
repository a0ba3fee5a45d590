// An L2 that talks over COM1: it asks, echoes what is typed, and repeats each line. Its L1 sees one
// exit for each line, and ends when L2 was told "bye".
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "vmx/vcpu.hpp"

using namespace guest;
using namespace guest::vmx;

namespace {

constinit Vcpu vcpu{};

constexpr std::uint16_t kCom1 = 0x3f8;
constexpr std::size_t kMaxLine = 60;

char read_key() {
  while ((inb(kCom1 + 5) & 1) == 0) pause();
  return static_cast<char>(inb(kCom1));
}

struct Line {
  char text[kMaxLine + 1] = {};
  std::size_t size = 0;

  bool is(const char* other) const {
    std::size_t i = 0;
    while (i < size && text[i] == other[i]) ++i;
    return i == size && other[i] == 0;
  }
};

Line read_line() {
  Line line;
  for (char c = read_key(); c != '\r'; c = read_key()) {
    if (line.size == kMaxLine) continue;
    const char shown = c >= ' ' && c <= '~' ? c : '^';
    line.text[line.size++] = shown;
    put(shown);
  }
  put('\n');
  return line;
}

void l2_main() {
  for (;;) {
    put("say: ");
    const Line said = read_line();
    cpuid(0);
    line("heard: ", said.text);
    if (said.is("bye")) asm volatile("vmcall" : : : "memory");
  }
}

}  // namespace

GUEST_MAIN {
  enable_serial();
  require_vmx();
  line("vmxon: ", enter_vmx());
  set_up(vcpu, l2_main);
  line("vmcs ", hex(address_of(&vcpu.vmcs)), " host rip ", hex(read(Field::kHostRip)));
  for (;;) {
    const Exit exit = run(vcpu);
    if (exit.reason == reason::kVmcall) return 0;
    if (exit.reason != reason::kCpuid) fail("an exit that L1 did not ask for");
    skip_instruction();
  }
}
