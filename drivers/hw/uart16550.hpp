#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace archelon::drivers {

// A 16550-compatible UART at an I/O port, polled. An absent or stuck UART costs bounded time only.
class Uart16550 {
 public:
  constexpr Uart16550() = default;

  // Programs 115200 8n1 with FIFOs. False where the scratch register does not hold what is
  // written, so that there is no UART; the object then swallows output and yields no input.
  // `clock_hz` / 16 / 115200 gives the divisor.
  bool init(std::uint16_t port, std::uint32_t clock_hz = 1'843'200);

  [[nodiscard]] bool present() const { return port_ != 0; }

  // Writes what fits into the transmitter at this moment; answers how many bytes it took. Never
  // waits: 0 while the transmitter is busy.
  std::size_t write_some(std::span<const char> bytes);

  // True once the last character has left the wire, or where there is no UART.
  [[nodiscard]] bool is_idle() const;

  [[nodiscard]] std::optional<char> read();

 private:
  std::uint16_t port_ = 0;
  std::uint8_t fifo_size_ = 1;
};

inline constexpr std::uint16_t kComPorts[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

}  // namespace archelon::drivers
