#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "hv/guest/load_error.hpp"

namespace archelon::guest {

inline constexpr std::array<std::byte, kPageSize> kZeros{};

// Writes into a VM's memory and remembers the first write that failed, so that a loader asks once
// at its end.
template <PhysicalMemory<Gpa1> M>
class GuestWriter {
 public:
  explicit GuestWriter(M& memory) : memory_(memory) {}

  void bytes(Gpa1 at, std::span<const std::byte> in) {
    if (!failed_ && !in.empty() && !memory_.write(at, in)) {
      failed_ = true;
      failed_at_ = at;
    }
  }

  template <class T>
  void value(Gpa1 at, const T& v) {
    bytes(at, std::as_bytes(std::span<const T, 1>(&v, 1)));
  }

  // The text and a terminating NUL.
  void text(Gpa1 at, std::string_view s) {
    bytes(at, std::as_bytes(std::span<const char>(s.data(), s.size())));
    value(at + s.size(), '\0');
  }

  void zero(Gpa1 at, std::uint64_t size) {
    while (size != 0 && !failed_) {
      const std::uint64_t now = size < kZeros.size() ? size : kZeros.size();
      bytes(at, std::span<const std::byte>(kZeros).first(now));
      at += now;
      size -= now;
    }
  }

  [[nodiscard]] Status<LoadError> status() const {
    if (failed_) {
      return Err{LoadError{LoadFault::kGuestMemory, failed_at_.value(), 0}};
    }
    return Ok{};
  }

 private:
  M& memory_;
  Gpa1 failed_at_;
  bool failed_ = false;
};

}  // namespace archelon::guest
