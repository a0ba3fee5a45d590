#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace archelon {

// A physical memory addressed by A (Gpa1, Gpa2, Hpa). read and write cross page boundaries; they
// answer false, with nothing promised about `out`, where any byte is not RAM of that space. The
// bytes are copied once; the caller checks and uses its copy (no double fetch).
template <class M, class A>
concept PhysicalMemory = requires(M memory, A address, std::span<std::byte> out,
                                  std::span<const std::byte> in) {
  { memory.read(address, out) } -> std::same_as<bool>;
  { memory.write(address, in) } -> std::same_as<bool>;
};

template <class T, class M, class A>
[[nodiscard]] std::optional<T> read_value(M& memory, A address) {
  T value{};
  if (!memory.read(address, std::as_writable_bytes(std::span<T, 1>(&value, 1)))) {
    return std::nullopt;
  }
  return value;
}

template <class T, class M, class A>
[[nodiscard]] bool write_value(M& memory, A address, const T& value) {
  return memory.write(address, std::as_bytes(std::span<const T, 1>(&value, 1)));
}

}  // namespace archelon
