#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

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
