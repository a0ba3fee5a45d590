#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "boot/command_line.hpp"
#include "boot/multiboot2.hpp"
#include "hv/base/log.hpp"

// What L0 prints and reads. Every line is whole on every console: one lock covers them all. Nothing
// here waits for a device without a bound.
//
// The serial consoles are terminals: someone may type there, so that they also show lines which are
// not complete yet. The debug console and the screen get whole lines only, and the shell's text.
namespace archelon::hv {

// Makes the log ring the log's sink; lines are kept until consoles are opened.
void console_init();

// Opens the serial consoles and the debug console of `list`, closes the others, and shows each new
// one the log so far. One that is not there is logged and left out.
void console_open(const boot::ConsoleList& list);

// Where `list` has kVga, opens the screen that the loader left (without `framebuffer`, VGA text at
// its usual place) and shows it the log so far. Its memory is mapped here, so that paging must be
// up.
void console_open_screen(const boot::ConsoleList& list,
                         const std::optional<boot::Framebuffer>& framebuffer);

// For a start that fails before its options are known: COM1, the debug console and VGA text, on the
// start code's page tables.
void console_open_emergency();

// Writes `[archelon] TEXT` and, for VM output, `[VM] TEXT`; neither goes to the log ring.
void console_write_line(std::string_view text);
void console_write_vm_line(std::string_view vm, std::string_view text);

// Writes `text` as it is, `\n` being a line end: the shell's prompt and echo. A line that comes
// while the cursor is not at a line's start goes to the next.
void console_write_text(std::string_view text);
// Ends a line that is not complete.
void console_start_line();

// A VM's output on the terminals and elsewhere (shell::VmConsole): a completed line for all but the
// terminals; the beginning of a line, and bytes as they are, for the terminals alone.
void console_record_vm_line(std::string_view vm, std::string_view text);
void console_begin_vm_line(std::string_view vm, std::string_view text);
void console_write_raw(std::string_view text);
// How often a line cut one on the terminals that was not complete.
[[nodiscard]] std::uint32_t console_interruptions();

// The next character typed on any serial console. Never waits.
[[nodiscard]] std::optional<char> console_read();

// Sends what is queued as far as the devices take it now; true while some is left. The boot CPU
// calls it again and again.
bool console_poll();

// Before `polled` is set, which promises regular console_poll() calls, each line is sent before the
// writer goes on.
void console_set_polled(bool polled);

// Waits, bounded, until everything has left.
void console_flush();

// As console_write_line and sent at once, for a panic: waits for no lock.
void console_panic_line(std::string_view text);

// The line of the log at `cursor` (0 at first), which moves on; nothing at the end. Of lines that
// were overwritten meanwhile the oldest left is next.
[[nodiscard]] std::optional<std::string_view> console_log_line(std::uint64_t& cursor,
                                                               std::span<char> out);

}  // namespace archelon::hv
