#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "drivers/hw/uart16550.hpp"
#include "hv/base/byte_ring.hpp"

namespace archelon::hv {

// A UART with a queue before it, so that printing costs no waiting: write() queues, poll() sends
// what the UART takes at that moment. A UART that stops taking anything costs one bounded wait;
// from then on what does not fit is dropped until it takes characters again.
class SerialConsole {
 public:
  // False where there is no UART at `port`.
  bool open(std::uint16_t port) { return uart_.init(port); }
  [[nodiscard]] bool is_open() const { return uart_.present(); }

  // Queues `text`, line ends as CR LF.
  void write(std::string_view text) {
    for (const char c : text) {
      if (c == '\n') {
        put('\r');
      }
      put(c);
    }
  }

  void poll() {
    while (!queue_.empty()) {
      const std::size_t sent = uart_.write_some(queue_.front());
      if (sent == 0) {
        return;
      }
      queue_.pop(sent);
      stuck_ = false;
    }
  }

  // False also while the UART takes nothing: there is nothing to hurry for.
  [[nodiscard]] bool has_queued() const { return !queue_.empty() && !stuck_; }

  // Waits, bounded, until the queue is empty.
  void flush() { drain_to(0); }

  // The same, and until the last character is out: what is left in a UART is lost when the machine
  // goes off.
  void drain() {
    flush();
    for (unsigned attempts = 0; attempts < kMaxAttempts && !stuck_ && !uart_.is_idle();
         ++attempts) {
    }
  }

  [[nodiscard]] std::optional<char> read() { return uart_.read(); }

 private:
  static constexpr std::size_t kQueueSize = 16384;
  // Attempts without progress until the UART counts as stuck: a character takes 87 us at 115200
  // baud, an attempt is a port read of about 1 us on hardware and one emulated instruction's time
  // in an emulator.
  static constexpr unsigned kMaxAttempts = 200'000;

  void put(char c) {
    if (queue_.push(c)) {
      return;
    }
    drain_to(kQueueSize - kQueueSize / 8);
    static_cast<void>(queue_.push(c));
  }

  void drain_to(std::size_t left) {
    for (unsigned attempts = 0; queue_.size() > left;) {
      const std::size_t before = queue_.size();
      poll();
      attempts = queue_.size() < before ? 0 : attempts + 1;
      if (stuck_ || attempts == kMaxAttempts) {
        stuck_ = true;
        return;
      }
    }
  }

  drivers::Uart16550 uart_;
  ByteRing<kQueueSize> queue_;
  bool stuck_ = false;
};

}  // namespace archelon::hv
