#include <sys/mman.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <random>

#include "hv/arch/cr.hpp"
#include "hv/guest/mmio_instruction.hpp"

// Runs random instructions on the processor and through the decoder, and compares memory, registers
// and flags.
using namespace archelon;
using namespace archelon::guest;
using arch::Gpr;
using arch::Gprs;

namespace {

struct NativeContext {
  Gprs gprs;
  std::uint64_t rflags;
};
static_assert(offsetof(NativeContext, rflags) == 128);

extern "C" {
void archelon_test_run_native(NativeContext* context, const void* code);
void archelon_test_native_return();
}

asm(R"(
  .text
  .globl archelon_test_run_native
archelon_test_run_native:
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, native_host_rsp(%rip)
  mov %rdi, native_context(%rip)
  mov %rsi, native_code(%rip)
  push 128(%rdi)
  popfq
  mov 0(%rdi), %rax
  mov 8(%rdi), %rcx
  mov 16(%rdi), %rdx
  mov 24(%rdi), %rbx
  mov 32(%rdi), %rsp
  mov 40(%rdi), %rbp
  mov 48(%rdi), %rsi
  mov 64(%rdi), %r8
  mov 72(%rdi), %r9
  mov 80(%rdi), %r10
  mov 88(%rdi), %r11
  mov 96(%rdi), %r12
  mov 104(%rdi), %r13
  mov 112(%rdi), %r14
  mov 120(%rdi), %r15
  mov 56(%rdi), %rdi
  jmp *native_code(%rip)
  .globl archelon_test_native_return
archelon_test_native_return:
  mov %rsp, native_code(%rip)
  mov native_host_rsp(%rip), %rsp
  pushfq
  push %rdi
  mov native_context(%rip), %rdi
  mov %rax, 0(%rdi)
  mov %rcx, 8(%rdi)
  mov %rdx, 16(%rdi)
  mov %rbx, 24(%rdi)
  mov %rbp, 40(%rdi)
  mov %rsi, 48(%rdi)
  mov %r8, 64(%rdi)
  mov %r9, 72(%rdi)
  mov %r10, 80(%rdi)
  mov %r11, 88(%rdi)
  mov %r12, 96(%rdi)
  mov %r13, 104(%rdi)
  mov %r14, 112(%rdi)
  mov %r15, 120(%rdi)
  pop 56(%rdi)
  pop 128(%rdi)
  mov native_code(%rip), %rax
  mov %rax, 32(%rdi)
  cld
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  ret
  .local native_host_rsp
  .comm native_host_rsp,8,8
  .local native_context
  .comm native_context,8,8
  .local native_code
  .comm native_code,8,8
)");

constexpr std::size_t kWindow = 512;
constexpr std::uint64_t kMiddle = kWindow / 2;

using Window = std::array<std::uint8_t, kWindow>;

// Memory of the running process below 4 GiB, so that 32-bit addressing reaches it.
class LowMemory {
 public:
  LowMemory() {
    void* at = mmap(nullptr, 2 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    REQUIRE(at != MAP_FAILED);
    base_ = static_cast<std::uint8_t*>(at);
  }
  ~LowMemory() { munmap(base_, 2 * 4096); }
  LowMemory(const LowMemory&) = delete;
  LowMemory& operator=(const LowMemory&) = delete;

  std::uint8_t* window() { return base_; }
  std::uint64_t window_address() { return reinterpret_cast<std::uint64_t>(base_); }

  const void* code(const MmioInstruction& instruction, const std::uint8_t* bytes) {
    std::uint8_t* at = base_ + 4096;
    std::memcpy(at, bytes, instruction.length);
    const std::uint8_t jump[6] = {0xFF, 0x25, 0, 0, 0, 0};  // jmp *0(%rip)
    std::memcpy(at + instruction.length, jump, sizeof(jump));
    const auto target = reinterpret_cast<std::uint64_t>(&archelon_test_native_return);
    std::memcpy(at + instruction.length + sizeof(jump), &target, sizeof(target));
    return at;
  }

 private:
  std::uint8_t* base_;
};

// The instruction done by the code under test on a copy of the window; false when it would leave
// the window, so that it must not be run natively either.
bool emulate(const MmioInstruction& in, std::uint64_t base, Window& window, NativeContext& c) {
  const auto offset = [&](const MemoryOperand& operand) {
    return linear_address(in, operand, c.gprs, 0, 0) - base;
  };
  for (int element = 0; element < 64; ++element) {
    std::uint64_t memory = 0;
    const std::uint64_t from = in.reads ? offset(in.source) : 0;
    const std::uint64_t to = in.writes ? offset(in.destination) : 0;
    if (from > kWindow - 8 || to > kWindow - 8) {
      return false;
    }
    if (in.reads) {
      std::memcpy(&memory, window.data() + from, in.size);
    }
    const MmioOutcome outcome = execute(in, memory, c.gprs, c.rflags);
    if (outcome.write) {
      std::memcpy(window.data() + to, &outcome.value, in.size);
    }
    if (outcome.done) {
      return true;
    }
  }
  return false;
}

std::uint64_t undefined_flags(MmioOperation operation) {
  namespace f = arch::rflags;
  switch (operation) {
    case MmioOperation::kAnd:
    case MmioOperation::kOr:
    case MmioOperation::kXor:
    case MmioOperation::kTest:
      return f::kAf;
    case MmioOperation::kBitTest:
    case MmioOperation::kBitSet:
    case MmioOperation::kBitReset:
    case MmioOperation::kBitComplement:
      return f::kOf | f::kSf | f::kAf | f::kPf;
    default:
      return 0;
  }
}

// Encodings of the supported opcodes with random prefixes, operands and immediates.
class Generator {
 public:
  std::mt19937_64 random{20240611};

  std::array<std::uint8_t, 24> instruction() {
    std::array<std::uint8_t, 24> bytes{};
    std::size_t at = 0;
    const auto put = [&](std::uint64_t byte) { bytes[at++] = static_cast<std::uint8_t>(byte); };
    if (one_in(4)) put(0x66);
    if (one_in(4)) put(0x67);
    if (one_in(6)) put(0xF3);
    if (one_in(6)) put(0xF0);
    if (one_in(8)) put(0x3E);
    if (one_in(2)) put(0x40 + random() % 16);
    const auto opcode =
        static_cast<std::uint16_t>(kOpcodes[random() % std::size(kOpcodes)] + random() % 4);
    if (opcode > 0xFF) put(0x0F);
    put(opcode);
    while (at < bytes.size()) put(one_in(3) ? random() % 64 : random());
    return bytes;
  }

  bool one_in(unsigned n) { return random() % n == 0; }

 private:
  static constexpr std::uint16_t kOpcodes[] = {
      0x00,  0x08,  0x10,  0x18,  0x20,  0x28,  0x30, 0x38, 0x60, 0x80,
      0x84,  0x88,  0x8C,  0xA4,  0xA8,  0xAC,  0xC4, 0xF4, 0xFC, 0x1A0,
      0x1A8, 0x1B0, 0x1B4, 0x1B8, 0x1BC, 0x1C0, 0x80, 0x80, 0xF4, 0xFC};
};

// Points the operand's base register at the middle of the window. False when it has none to turn.
bool aim(const MemoryOperand& operand, std::uint64_t target, Gprs& gprs) {
  if (!operand.base || operand.base == operand.index) {
    return false;
  }
  const std::uint64_t index = operand.index ? gprs[*operand.index] << operand.scale_shift : 0;
  std::uint64_t base = target - index - static_cast<std::uint64_t>(operand.displacement);
  if (operand.address_size == 4) {
    base &= 0xFFFF'FFFF;
  }
  gprs[*operand.base] = base;
  return true;
}

}  // namespace

TEST_CASE("emulated instructions do what the processor does") {
  LowMemory low;
  Generator generator;
  std::array<unsigned, 32> seen{};
  for (int i = 0; i < 400'000; ++i) {
    const auto bytes = generator.instruction();
    const auto decoded = decode(std::as_bytes(std::span(bytes)), CodeSize::k64);
    if (!decoded) {
      continue;
    }
    const MmioInstruction& in = decoded.value();
    NativeContext context{};
    for (std::uint64_t& value : context.gprs.value) {
      value = generator.one_in(3) ? generator.random() % 16 - 8 : generator.random();
    }
    context.gprs[Gpr::kRcx] %= in.repeat ? 8 : ~0ULL;
    if (in.source.bit_offset) {
      context.gprs[*in.source.bit_offset] = generator.random() % 800 - 400;
    }
    const std::uint64_t middle = low.window_address() + kMiddle;
    if ((in.reads && !aim(in.source, middle, context.gprs)) ||
        (in.writes && !aim(in.destination, middle + generator.random() % 16, context.gprs))) {
      continue;
    }
    context.rflags = 0x202 | (generator.random() & (arch::rflags::kArithmetic | arch::rflags::kDf));
    Window window;
    for (std::uint8_t& byte : window) {
      byte = static_cast<std::uint8_t>(generator.random());
    }
    if (generator.one_in(4)) {  // let CMPXCHG succeed
      std::memcpy(window.data() + kMiddle, &context.gprs[Gpr::kRax], 8);
    }

    NativeContext native = context;
    std::memcpy(low.window(), window.data(), kWindow);
    if (!emulate(in, low.window_address(), window, context)) {
      continue;
    }
    archelon_test_run_native(&native, low.code(in, bytes.data()));

    ++seen[static_cast<std::size_t>(in.operation)];
    const std::uint64_t ignored = undefined_flags(in.operation);
    const bool same = std::memcmp(window.data(), low.window(), kWindow) == 0 &&
                      context.gprs.value == native.gprs.value &&
                      (context.rflags | ignored) == (native.rflags | ignored);
    if (!same) {
      std::array<char, 96> text;
      CAPTURE(std::string(describe(text, MmioDecodeFault::kUnsupported,
                                   std::as_bytes(std::span(bytes).first(in.length)))));
      CHECK(context.gprs.value == native.gprs.value);
      CHECK((context.rflags | ignored) == (native.rflags | ignored));
      REQUIRE(same);
    }
  }
  for (int operation = 0; operation <= static_cast<int>(MmioOperation::kPop); ++operation) {
    CAPTURE(operation);
    CHECK(seen[static_cast<std::size_t>(operation)] > 50);
  }
}

TEST_CASE("any bytes decode or are refused") {
  std::mt19937_64 random{7};
  for (int i = 0; i < 300'000; ++i) {
    std::array<std::uint8_t, 16> bytes;
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(random());
    }
    const std::size_t size = random() % 17;
    const auto code_size = static_cast<CodeSize>(random() % 3);
    const auto decoded = decode(std::as_bytes(std::span(bytes).first(size)), code_size);
    if (!decoded) {
      continue;
    }
    REQUIRE(decoded->length <= size);
    REQUIRE(decoded->length <= kMaxInstructionLength);
    REQUIRE((decoded->reads || decoded->writes));
    // Every shorter piece of it is cut off.
    for (std::size_t n = 0; n < decoded->length; ++n) {
      const auto part = decode(std::as_bytes(std::span(bytes).first(n)), code_size);
      REQUIRE(part.error() == MmioDecodeFault::kCutOff);
    }
    Gprs gprs;
    std::uint64_t rflags = 2;
    (void)execute(decoded.value(), random(), gprs, rflags);
    (void)linear_address(decoded.value(), decoded->source, gprs, random(), random());
  }
}
