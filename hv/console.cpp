#include "hv/console.hpp"

#include <array>
#include <atomic>

#include "drivers/hw/debugcon.hpp"
#include "drivers/hw/pci.hpp"
#include "drivers/hw/screen.hpp"
#include "drivers/hw/uart16550.hpp"
#include "drivers/text_screen.hpp"
#include "hv/base/log_ring.hpp"
#include "hv/hw/paging.hpp"
#include "hv/hw/spinlock.hpp"
#include "hv/serial_console.hpp"

namespace archelon::hv {
namespace {

using boot::Console;

constexpr std::size_t kSerialConsoles = 5;  // COM1 to COM4, PCI
constexpr std::size_t kLogSize = 65536;
constexpr std::string_view kPrefix = "[archelon] ";

constinit hw::Spinlock g_lock;
constinit LogRing<kLogSize> g_log;
constinit std::array<SerialConsole, kSerialConsoles> g_serial;
constinit std::array<bool, kSerialConsoles> g_serial_used{};
constinit drivers::Debugcon g_debugcon;
constinit bool g_debugcon_used = false;
constinit drivers::TextScreen<drivers::HwScreen> g_screen;
constinit bool g_screen_used = false;
// Of the terminals and of the other consoles.
constinit bool g_terminals_at_line_start = true;
constinit bool g_others_at_line_start = true;
constinit std::atomic<std::uint32_t> g_interruptions{0};
constinit bool g_any_open = false;
constinit std::atomic<bool> g_polled{false};

std::size_t serial_index(Console console) {
  return console == Console::kPciSerial
             ? kSerialConsoles - 1
             : static_cast<std::size_t>(console) - static_cast<std::size_t>(Console::kCom1);
}
bool is_serial(Console console) {
  return console <= Console::kPciSerial;
}
static_assert(Console::kCom1 < Console::kCom4 && Console::kCom4 < Console::kPciSerial &&
              Console::kPciSerial < Console::kDebugcon);

bool has(const boot::ConsoleList& list, Console wanted) {
  for (const Console console : list) {
    if (console == wanted) {
      return true;
    }
  }
  return false;
}

// The I/O port of the first 16550 behind PCI (class 07h, subclass 00h, interface 02h) that has one.
std::optional<std::uint16_t> find_pci_serial() {
  constexpr drivers::pci::ClassCode kSerial16550 = 0x070002;
  static constinit drivers::pci::FunctionList functions;
  drivers::pci::HwPortConfig config;
  functions.clear();
  static_cast<void>(drivers::pci::enumerate(config, functions));
  for (const auto& function : functions) {
    const auto bar = function.class_code == kSerial16550
                         ? drivers::pci::read_bar(config, function, 0)
                         : std::nullopt;
    if (bar && bar->is_io) {
      constexpr std::uint16_t kCommand = 0x04;
      constexpr std::uint32_t kIoSpace = 1;
      config.write32(function.bdf, kCommand,
                     (config.read32(function.bdf, kCommand) & 0xffff) | kIoSpace);
      return static_cast<std::uint16_t>(bar->address);
    }
  }
  return std::nullopt;
}

std::optional<std::uint16_t> port_of(Console console) {
  return console == Console::kPciSerial ? find_pci_serial()
                                        : std::optional(drivers::kComPorts[serial_index(console)]);
}

// Everything below writes with the lock held.
void put_terminals(std::string_view text) {
  for (std::size_t i = 0; i < kSerialConsoles; ++i) {
    if (g_serial_used[i]) {
      g_serial[i].write(text);
    }
  }
}

void put_others(std::string_view text) {
  if (g_debugcon_used) {
    g_debugcon.write(text);
  }
  if (g_screen_used) {
    g_screen.write(text);
  }
}

void start_terminal_line() {
  if (!g_terminals_at_line_start) {
    put_terminals("\n");
    g_terminals_at_line_start = true;
    g_interruptions.fetch_add(1, std::memory_order_relaxed);
  }
}

void start_other_line() {
  if (!g_others_at_line_start) {
    put_others("\n");
    g_others_at_line_start = true;
  }
}

void send() {
  const bool wait = !g_polled.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < kSerialConsoles; ++i) {
    if (g_serial_used[i]) {
      wait ? g_serial[i].flush() : g_serial[i].poll();
    }
  }
}

void put_terminal_line(std::string_view prefix, std::string_view text) {
  start_terminal_line();
  put_terminals(prefix);
  put_terminals(text);
  put_terminals("\n");
}

void put_other_line(std::string_view prefix, std::string_view text) {
  start_other_line();
  put_others(prefix);
  put_others(text);
  put_others("\n");
}

void put_line(std::string_view prefix, std::string_view text) {
  put_terminal_line(prefix, text);
  put_other_line(prefix, text);
  send();
}

// "[debian] ".
class VmPrefix {
 public:
  explicit VmPrefix(std::string_view vm) : text_(format(buffer_, "[{}] ", vm)) {}
  [[nodiscard]] std::string_view view() const { return text_; }

 private:
  std::array<char, 32> buffer_;
  std::string_view text_;
};

void sink(LogLevel level, std::string_view line) {
  std::array<char, kLogLineSize + 16> text;
  const std::string_view kind = level == LogLevel::kError     ? "error: "
                                : level == LogLevel::kWarning ? "warning: "
                                                              : "";
  const std::string_view full = format(text, "{}{}", kind, line);
  const hw::SpinlockGuard guard(g_lock);
  g_log.append(full);
  if (g_any_open) {
    put_line(kPrefix, full);
  }
}

// Shows the log so far to one console.
template <class Write>
void replay(Write write) {
  std::array<char, kLogLineSize + 16> buffer;
  for (std::uint64_t cursor = g_log.begin();;) {
    const auto line = g_log.read_line(cursor, buffer);
    if (!line) {
      return;
    }
    write(kPrefix);
    write(*line);
    write("\n");
  }
}

bool open_serial(Console console) {
  const auto port = port_of(console);
  SerialConsole& serial = g_serial[serial_index(console)];
  if (!port || !serial.open(*port)) {
    return false;
  }
  const hw::SpinlockGuard guard(g_lock);
  replay([&](std::string_view text) { serial.write(text); });
  serial.flush();
  g_serial_used[serial_index(console)] = true;
  g_any_open = true;
  return true;
}

bool open_debugcon() {
  if (!g_debugcon.init()) {
    return false;
  }
  const hw::SpinlockGuard guard(g_lock);
  replay([&](std::string_view text) { g_debugcon.write(text); });
  g_debugcon_used = true;
  g_any_open = true;
  return true;
}

void open_screen(const drivers::HwScreen& screen) {
  const hw::SpinlockGuard guard(g_lock);
  // Text memory is cheap to redraw; pixels are not.
  g_screen.open(screen, screen.is_pixels() ? screen.rows() / 2 : 1);
  replay([&](std::string_view text) { g_screen.write(text); });
  g_screen_used = true;
  g_any_open = true;
}

constexpr Hpa kVgaText{0xb8000};
drivers::HwScreen vga_text() {
  return drivers::HwScreen::text(kVgaText, 160, 80, 25);
}

}  // namespace

void console_init() {
  set_log_sink(sink);
}

void console_open(const boot::ConsoleList& list) {
  StaticVector<Console, boot::kConsoleKinds> missing;
  for (unsigned kind = 0; kind <= static_cast<unsigned>(Console::kDebugcon); ++kind) {
    const auto console = static_cast<Console>(kind);
    const bool wanted = has(list, console);
    bool& used = is_serial(console) ? g_serial_used[serial_index(console)] : g_debugcon_used;
    if (used == wanted) {
      continue;
    }
    if (!wanted) {
      const hw::SpinlockGuard guard(g_lock);
      used = false;
    } else if (!(is_serial(console) ? open_serial(console) : open_debugcon())) {
      static_cast<void>(missing.push_back(console));
    }
  }
  for (const Console console : missing) {
    log_warning("console {}: there is none", boot::to_string(console));
  }
}

void console_open_screen(const boot::ConsoleList& list,
                         const std::optional<boot::Framebuffer>& framebuffer) {
  if (g_screen.is_open() || !has(list, Console::kVga)) {
    const hw::SpinlockGuard guard(g_lock);
    g_screen_used = g_screen.is_open() && has(list, Console::kVga);
    return;
  }
  if (!framebuffer) {
    if (hw::map_device(kVgaText, kPageSize)) {
      open_screen(vga_text());
    }
    return;
  }
  const boot::Framebuffer& f = *framebuffer;
  const bool is_text = f.kind == boot::FramebufferKind::kEgaText;
  const std::uint32_t bytes_per_pixel = (f.bits_per_pixel + 7U) / 8;
  const std::uint64_t row = std::uint64_t{f.width} * (is_text ? 2 : bytes_per_pixel);
  if (row > f.pitch || (!is_text && (bytes_per_pixel < 2 || bytes_per_pixel > 4)) ||
      !hw::map_device(f.base, f.size())) {
    log_warning("console vga: the loader's screen ({}x{}, {} bits per pixel) cannot be used",
                f.width, f.height, f.bits_per_pixel);
    return;
  }
  open_screen(is_text
                  ? drivers::HwScreen::text(f.base, f.pitch, f.width, f.height)
                  : drivers::HwScreen::pixels(f.base, f.pitch, f.width, f.height, bytes_per_pixel,
                                              {.red_position = f.red.position,
                                               .red_size = f.red.size,
                                               .green_position = f.green.position,
                                               .green_size = f.green.size,
                                               .blue_position = f.blue.position,
                                               .blue_size = f.blue.size}));
}

void console_open_emergency() {
  static_cast<void>(g_serial_used[0] || open_serial(Console::kCom1));
  static_cast<void>(g_debugcon_used || open_debugcon());
  if (!g_screen.is_open() && hw::is_mapped(hw::to_hva(kVgaText), kPageSize)) {
    open_screen(vga_text());
  }
}

void console_write_line(std::string_view text) {
  const hw::SpinlockGuard guard(g_lock);
  put_line(kPrefix, text);
}

void console_write_vm_line(std::string_view vm, std::string_view text) {
  const VmPrefix prefix(vm);
  const hw::SpinlockGuard guard(g_lock);
  put_line(prefix.view(), text);
}

void console_write_text(std::string_view text) {
  if (text.empty()) {
    return;
  }
  const hw::SpinlockGuard guard(g_lock);
  put_terminals(text);
  put_others(text);
  g_terminals_at_line_start = g_others_at_line_start = text.back() == '\n';
  send();
}

void console_start_line() {
  const hw::SpinlockGuard guard(g_lock);
  start_terminal_line();
  start_other_line();
}

void console_record_vm_line(std::string_view vm, std::string_view text) {
  const VmPrefix prefix(vm);
  const hw::SpinlockGuard guard(g_lock);
  put_other_line(prefix.view(), text);
}

void console_begin_vm_line(std::string_view vm, std::string_view text) {
  const VmPrefix prefix(vm);
  const hw::SpinlockGuard guard(g_lock);
  start_terminal_line();
  put_terminals(prefix.view());
  put_terminals(text);
  g_terminals_at_line_start = false;
  send();
}

void console_write_raw(std::string_view text) {
  if (text.empty()) {
    return;
  }
  const hw::SpinlockGuard guard(g_lock);
  put_terminals(text);
  g_terminals_at_line_start = text.back() == '\n';
  send();
}

std::uint32_t console_interruptions() {
  return g_interruptions.load(std::memory_order_relaxed);
}

std::optional<char> console_read() {
  for (std::size_t i = 0; i < kSerialConsoles; ++i) {
    if (g_serial_used[i]) {
      if (const auto c = g_serial[i].read()) {
        return c;
      }
    }
  }
  return std::nullopt;
}

bool console_poll() {
  const bool enabled = hw::interrupts_enabled();
  hw::cli();
  bool queued = false;
  if (g_lock.try_lock(1)) {
    for (std::size_t i = 0; i < kSerialConsoles; ++i) {
      if (g_serial_used[i]) {
        g_serial[i].poll();
        queued = queued || g_serial[i].has_queued();
      }
    }
    g_lock.unlock();
  }
  if (enabled) {
    hw::sti();
  }
  return queued;
}

void console_set_polled(bool polled) {
  g_polled.store(polled, std::memory_order_relaxed);
}

void console_flush() {
  const hw::SpinlockGuard guard(g_lock);
  for (std::size_t i = 0; i < kSerialConsoles; ++i) {
    if (g_serial_used[i]) {
      g_serial[i].drain();
    }
  }
}

void console_panic_line(std::string_view text) {
  // Whoever holds the lock may have been stopped or be this very CPU: go on without after a while.
  constexpr std::uint32_t kSpins = 1'000'000;
  static constinit bool has_lock = false;
  if (!has_lock) {
    if (!g_any_open) {
      console_open_emergency();
    }
    static_cast<void>(g_lock.try_lock(kSpins));
    has_lock = true;
    console_set_polled(false);
  }
  put_line(kPrefix, text);
  for (std::size_t i = 0; i < kSerialConsoles; ++i) {
    if (g_serial_used[i]) {
      g_serial[i].drain();
    }
  }
}

std::optional<std::string_view> console_log_line(std::uint64_t& cursor, std::span<char> out) {
  const hw::SpinlockGuard guard(g_lock);
  return g_log.read_line(cursor, out);
}

}  // namespace archelon::hv
