#include "linux_boot.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <vector>

#include "error.hpp"
#include "uart.hpp"
#include "vm.hpp"

namespace kvmclient {
namespace {

// Linux's x86 boot protocol: where things are in the zero page, and in the file's first sectors.
constexpr std::size_t kZeroPage = 0x7000;
constexpr std::size_t kCmdline = 0x20000;
constexpr std::size_t kKernel = 0x100000;
constexpr std::size_t kE820Count = 0x1e8;
constexpr std::size_t kSetupSects = 0x1f1;
constexpr std::size_t kMagic = 0x202;
constexpr std::size_t kVersion = 0x206;
constexpr std::size_t kLoader = 0x210;
constexpr std::size_t kLoadFlags = 0x211;
constexpr std::size_t kInitrd = 0x218;
constexpr std::size_t kInitrdSize = 0x21c;
constexpr std::size_t kCmdlinePointer = 0x228;
constexpr std::size_t kInitrdMax = 0x22c;
constexpr std::size_t kCmdlineSize = 0x238;
constexpr std::size_t kE820 = 0x2d0;

constexpr std::uint16_t kUart = 0x3f8;
constexpr unsigned kUartIrq = 4;
constexpr std::uint16_t kExitPort = 0xf4;
constexpr std::uint16_t kI8042 = 0x64;
constexpr std::uint8_t kI8042Reset = 0xfe;
constexpr std::uint16_t kResetControl = 0xcf9;

std::vector<std::uint8_t> read_file(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0) fail(kUsage, "%s: %s", path, std::strerror(errno));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = read(fd, bytes.data() + done, bytes.size() - done);
    if (n <= 0) fail(kUsage, "%s: %s", path, n == 0 ? "it became shorter" : std::strerror(errno));
    done += static_cast<std::size_t>(n);
  }
  close(fd);
  return bytes;
}

template <typename T>
void put(std::span<std::uint8_t> memory, std::size_t at, T value) {
  std::memcpy(memory.data() + at, &value, sizeof value);
}

template <typename T>
T get(std::span<const std::uint8_t> bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

std::size_t setup_bytes(const std::vector<std::uint8_t>& kernel) {
  const std::size_t sectors = kernel[kSetupSects] == 0 ? 4 : kernel[kSetupSects];
  return (sectors + 1) * 512;
}

// The bzImage, checked as far as loading it relies on it.
std::vector<std::uint8_t> read_kernel(const BootOptions& options) {
  std::vector<std::uint8_t> kernel = read_file(options.kernel);
  if (kernel.size() < 1024 || get<std::uint32_t>(kernel, kMagic) != 0x53726448) {
    fail(kUsage, "%s is no Linux bzImage", options.kernel);
  }
  if (get<std::uint16_t>(kernel, kVersion) < 0x206) {
    fail(kUsage, "%s has an old boot protocol", options.kernel);
  }
  if (setup_bytes(kernel) >= kernel.size()) fail(kUsage, "%s is truncated", options.kernel);
  return kernel;
}

void load_linux(Vm& vm, const std::vector<std::uint8_t>& kernel, const BootOptions& options) {
  const std::span<std::uint8_t> memory = vm.memory();
  // The setup header: from 0x1f1 to where the jump at 0x200 leads.
  const std::size_t header_end = 0x202 + kernel[0x201];
  std::memcpy(memory.data() + kZeroPage + kSetupSects, kernel.data() + kSetupSects,
              header_end - kSetupSects);
  vm.load(kKernel, std::span(kernel).subspan(setup_bytes(kernel)));
  put<std::uint8_t>(memory, kZeroPage + kLoader, 0xff);
  put<std::uint8_t>(memory, kZeroPage + kLoadFlags,
                    static_cast<std::uint8_t>(kernel[kLoadFlags] | 1));

  const std::size_t length = std::strlen(options.cmdline);
  if (length > get<std::uint32_t>(kernel, kCmdlineSize))
    fail(kUsage, "the command line is too long");
  vm.load(kCmdline, {reinterpret_cast<const std::uint8_t*>(options.cmdline), length + 1});
  put<std::uint32_t>(memory, kZeroPage + kCmdlinePointer, kCmdline);

  if (options.initrd != nullptr) {
    const std::vector<std::uint8_t> initrd = read_file(options.initrd);
    std::size_t top = memory.size();
    const std::size_t limit = std::size_t{get<std::uint32_t>(kernel, kInitrdMax)} + 1;
    if (top > limit) top = limit;
    if (initrd.size() + kKernel + kernel.size() > top) fail(kUsage, "the initrd does not fit");
    const std::size_t at = (top - initrd.size()) & ~std::size_t{0xfff};
    vm.load(at, initrd);
    put<std::uint32_t>(memory, kZeroPage + kInitrd, static_cast<std::uint32_t>(at));
    put<std::uint32_t>(memory, kZeroPage + kInitrdSize, static_cast<std::uint32_t>(initrd.size()));
  }

  struct [[gnu::packed]] E820 {
    std::uint64_t base, size;
    std::uint32_t type;
  };
  put<E820>(memory, kZeroPage + kE820, {0, 0x9fc00, 1});
  put<E820>(memory, kZeroPage + kE820 + sizeof(E820), {kKernel, memory.size() - kKernel, 1});
  put<std::uint8_t>(memory, kZeroPage + kE820Count, 2);

  kvm_sregs sregs = vm.sregs();
  sregs.cr0 |= 1;
  sregs.cs = flat_code(false);
  for (kvm_segment* s : {&sregs.ds, &sregs.es, &sregs.ss, &sregs.fs, &sregs.gs}) *s = flat_data();
  vm.set_sregs(sregs);
  kvm_regs regs{};
  regs.rip = kKernel;
  regs.rsi = kZeroPage;
  regs.rflags = 2;
  vm.set_regs(regs);
}

// The machine's ports.
class Ports {
 public:
  explicit Ports(Vm& vm) : vm_(vm) {}

  // True when the guest has ended.
  bool access(std::uint16_t port, bool out, std::span<std::uint8_t> data) {
    if (port >= kUart && port < kUart + 8) {
      uart(port - kUart, out, data[0]);
    } else if (out) {
      return write(port, data);
    } else {
      // The clock answers 0, so that nobody waits for it; the rest is absent.
      const bool clock = port == 0x70 || port == 0x71;
      std::memset(data.data(), clock || port == kI8042 ? 0 : 0xff, data.size());
    }
    return false;
  }
  int code() const { return code_; }

 private:
  bool write(std::uint16_t port, std::span<const std::uint8_t> data) {
    if (port == kExitPort) {
      code_ = data[0];
      return true;
    }
    return (port == kI8042 && data[0] == kI8042Reset) ||
           (port == kResetControl && (data[0] & 4) != 0);
  }

  void uart(unsigned reg, bool out, std::uint8_t& byte) {
    char sent = 0;
    if (!out) {
      byte = uart_.read(reg);
    } else if (uart_.write(reg, byte, sent)) {
      std::fputc(sent, stdout);
      if (sent == '\n') std::fflush(stdout);
    }
    if (uart_.interrupt() == irq_) return;
    irq_ = !irq_;
    vm_.set_irq(kUartIrq, irq_);
  }

  Vm& vm_;
  Uart uart_;
  bool irq_ = false;
  int code_ = 0;
};

// Makes KVM_RUN return, also if it was not running when the signal came.
volatile std::uint8_t* immediate_exit = nullptr;
void on_alarm(int) {
  *immediate_exit = 1;
}

}  // namespace

int boot_linux(const BootOptions& options) {
  const std::vector<std::uint8_t> kernel = read_kernel(options);
  Vm vm(options.memory_mib << 20, true);
  load_linux(vm, kernel, options);
  immediate_exit = &vm.exit().immediate_exit;
  std::signal(SIGALRM, on_alarm);
  alarm(options.timeout_seconds);
  Ports ports(vm);
  unsigned long io_exits = 0;
  unsigned long mmio_exits = 0;
  const auto say_exits = [&](const char* how) {
    std::printf("kvmclient: the guest %s; exits to user space: io %lu mmio %lu\n", how, io_exits,
                mmio_exits);
    std::fflush(stdout);
  };
  for (;;) {
    if (!vm.run()) {
      if (*immediate_exit == 0) continue;
      std::printf("\nkvmclient: the time is up, rip %#llx\n", vm.regs().rip);
      say_exits("was ended");
      return kTimeout;
    }
    kvm_run& exit = vm.exit();
    switch (exit.exit_reason) {
      case KVM_EXIT_IO: {
        ++io_exits;
        const std::span<std::uint8_t> data = vm.io_data();
        for (std::uint32_t i = 0; i < exit.io.count; ++i) {
          if (ports.access(exit.io.port, exit.io.direction == KVM_EXIT_IO_OUT,
                           data.subspan(std::size_t{i} * exit.io.size, exit.io.size))) {
            say_exits("ended");
            return ports.code();
          }
        }
        break;
      }
      case KVM_EXIT_MMIO:
        ++mmio_exits;
        if (exit.mmio.is_write == 0) std::memset(exit.mmio.data, 0xff, sizeof exit.mmio.data);
        break;
      case KVM_EXIT_SHUTDOWN:
        say_exits("shut down");
        return kFailed;
      default:
        std::printf("kvmclient: %s\n", vm.describe_exit());
        return kFailed;
    }
  }
}

}  // namespace kvmclient
