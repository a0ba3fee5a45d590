#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "hv/base/memory.hpp"

// Access to table entries, which other CPUs and the CPU's own page walker read and change at the
// same time: each is one access of the entry's size. Memories that can point to their bytes
// (`pointer(address, size)`, null where that is not RAM; or `pointer(address)`, never null) are
// accessed through the pointer; the others, through read, write and, where they have it, a 64-bit
// `compare_exchange(address, expected, desired)`. A memory to which a table access is not the same
// as any other has `load_table_entry<T>` and `exchange_table_entry<T>`.
namespace archelon::mmu {

namespace detail {

template <class M, class A>
concept PointsBounded = requires(M& memory, A address) {
  { memory.pointer(address, std::uint64_t{8}) } -> std::same_as<std::byte*>;
};
template <class M, class A>
concept Points = requires(M& memory, A address) {
  { memory.pointer(address) } -> std::same_as<std::byte*>;
};

template <class M, class A>
concept TellsTables = requires(M& memory, A address) {
  {
    memory.template load_table_entry<std::uint64_t>(address)
    } -> std::same_as<std::optional<std::uint64_t>>;
};

template <class T, class M, class A>
[[nodiscard]] T* entry_pointer(M& memory, A address) {
  if constexpr (PointsBounded<M, A>) {
    return reinterpret_cast<T*>(memory.pointer(address, sizeof(T)));
  } else {
    return reinterpret_cast<T*>(memory.pointer(address));
  }
}

template <class M, class A>
inline constexpr bool kPoints = PointsBounded<M, A> || Points<M, A>;

}  // namespace detail

// Addresses are aligned to the size of T.
template <class T = std::uint64_t, class M, class A>
[[nodiscard]] std::optional<T> load_entry(M& memory, A address) {
  if constexpr (detail::TellsTables<M, A>) {
    return memory.template load_table_entry<T>(address);
  } else if constexpr (detail::kPoints<M, A>) {
    T* entry = detail::entry_pointer<T>(memory, address);
    if (entry == nullptr) {
      return std::nullopt;
    }
    return __atomic_load_n(entry, __ATOMIC_ACQUIRE);
  } else {
    return read_value<T>(memory, address);
  }
}

// What was stored before is visible to whoever sees this entry.
template <class T, class M, class A>
[[nodiscard]] bool store_entry(M& memory, A address, T value) {
  if constexpr (detail::kPoints<M, A>) {
    T* entry = detail::entry_pointer<T>(memory, address);
    if (entry == nullptr) {
      return false;
    }
    __atomic_store_n(entry, value, __ATOMIC_RELEASE);
    return true;
  } else {
    return write_value(memory, address, value);
  }
}

// A run of up to N 64-bit entries of one table, read one by one where the memory can point to them,
// else all at once. Where it is not memory every entry reads as all ones.
template <class M, class A, std::size_t N>
class EntryRun {
 public:
  EntryRun(M& memory, A first, std::size_t count) {
    if constexpr (kPoints) {
      if constexpr (detail::PointsBounded<M, A>) {
        run_ = reinterpret_cast<std::uint64_t*>(memory.pointer(first, std::uint64_t{count * 8}));
      } else {
        run_ = reinterpret_cast<std::uint64_t*>(memory.pointer(first));
      }
    } else if (!memory.read(first, std::as_writable_bytes(std::span(run_).first(count)))) {
      run_.fill(~std::uint64_t{0});
    }
  }

  [[nodiscard]] std::uint64_t operator[](std::size_t i) const {
    if constexpr (kPoints) {
      return run_ == nullptr ? ~std::uint64_t{0} : __atomic_load_n(run_ + i, __ATOMIC_ACQUIRE);
    } else {
      return run_[i];
    }
  }

 private:
  static constexpr bool kPoints = detail::kPoints<M, A>;
  std::conditional_t<kPoints, std::uint64_t*, std::array<std::uint64_t, N>> run_;
};

// Changes an entry from `expected` to `desired`; false where it does not hold `expected` or is not
// memory.
template <class T, class M, class A>
[[nodiscard]] bool exchange_entry(M& memory, A address, T expected, T desired) {
  if constexpr (detail::TellsTables<M, A>) {
    return memory.template exchange_table_entry<T>(address, expected, desired);
  } else if constexpr (detail::kPoints<M, A>) {
    T* entry = detail::entry_pointer<T>(memory, address);
    return entry != nullptr && __atomic_compare_exchange_n(entry, &expected, desired, false,
                                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
  } else if constexpr (sizeof(T) == 8 && requires {
                         {
                           memory.compare_exchange(address, expected, desired)
                           } -> std::same_as<bool>;
                       }) {
    return memory.compare_exchange(address, expected, desired);
  } else {
    return read_value<T>(memory, address) == expected && write_value(memory, address, desired);
  }
}

}  // namespace archelon::mmu
