#include "vmx/events.hpp"

#include "runtime/apic.hpp"
#include "runtime/console.hpp"
#include "runtime/cpu.hpp"
#include "runtime/trap.hpp"

namespace guest::vmx {

using enum Field;

namespace {

// L2's EOI goes to L1's own APIC.
alignas(4096) constinit std::array<std::uint8_t, 4096> msr_bitmap{};

bool in_l2 = false;
std::uint64_t base = 0;
std::uint64_t skip = 0;

// Relative to L2's program; how far handlers are away is the compiler's business.
void put_rip(std::uint64_t rip) {
  if (rip - base > 64) {
    put(" rip elsewhere");
    return;
  }
  put(" rip +");
  put(rip - base);
}

// What L1's and L2's common IDT leads to.
void on_event(TrapFrame& frame) {
  put(in_l2 ? "  L2 handler: vector " : "  L1 handler: vector ");
  put(hex(frame.vector));
  if (frame.error != 0) {
    put(" error ");
    put(hex(frame.error));
  }
  if (in_l2) {
    put_rip(frame.rip);
    put(" if ");
    put((frame.rflags & kIf) != 0);
  }
  line();
  if (in_l2) frame.rip += skip;
  if (frame.vector >= 32 && (frame.vector < 0x50 || frame.vector >= 0x60)) apic::end_of_interrupt();
}

}  // namespace

void start_events(Vcpu& vcpu) {
  require_vmx();
  must("vmxon", enter_vmx());
  for (unsigned v = 0; v < 256; ++v) set_handler(static_cast<std::uint8_t>(v), on_event);
  set_up(vcpu, [] {}, {.proc = proc::kMsrBitmaps});
  write(kMsrBitmap, address_of(&msr_bitmap));
}

void start(Vcpu& vcpu, void (*code)(), std::uint64_t rflags, std::uint64_t skip_bytes) {
  base = reinterpret_cast<std::uint64_t>(code);
  skip = skip_bytes;
  write(kGuestRip, base);
  write(kGuestRsp, address_of(&vcpu.stack) + vcpu.stack.size() - 8);
  write(kGuestRflags, rflags);
  write(kGuestInterruptibility, 0);
  write(kGuestActivity, 0);
  write(kGuestPendingDebug, 0);
  write(kExceptionBitmap, 0);
}

void inject(std::uint32_t information, std::uint32_t error, std::uint32_t length) {
  write(kEntryInterruption, event::kValid | information);
  write(kEntryErrorCode, error);
  write(kEntryInstructionLength, length);
}

void inject_vectoring() {
  const auto vectoring = static_cast<std::uint32_t>(read(kIdtVectoring));
  inject(vectoring & 0xfff, static_cast<std::uint32_t>(read(kIdtVectoringError)),
         static_cast<std::uint32_t>(read(kExitInstructionLength)));
}

Exit resume(Vcpu& vcpu, const char* name) {
  in_l2 = true;
  line(name);
  const Exit exit = run(vcpu);
  in_l2 = false;
  put("  ");
  put_exit(exit);
  put_rip(read(kGuestRip));
  const std::uint64_t interruption = read(kExitInterruption);
  if (exit.reason <= 1) {
    put(" event ");
    put(hex(interruption));
    if ((interruption & event::kErrorCode) != 0) {
      put(" error ");
      put(hex(read(kExitErrorCode)));
    }
  }
  const std::uint64_t vectoring = read(kIdtVectoring);
  if ((vectoring & event::kValid) != 0) {
    put(" vectoring ");
    put(hex(vectoring));
    if ((vectoring & event::kErrorCode) != 0) {
      put(" error ");
      put(hex(read(kIdtVectoringError)));
    }
  }
  if (const std::uint64_t blocking = read(kGuestInterruptibility); blocking != 0) {
    put(" blocking ");
    put(hex(blocking));
  }
  line();
  if (read(kEntryInterruption) & event::kValid)
    line("  entry interruption information stays valid");
  return exit;
}

}  // namespace guest::vmx
