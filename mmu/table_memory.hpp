#pragma once

#include <cstdint>

#include "hv/base/memory.hpp"

namespace archelon::mmu {

// Changes a table entry from `expected` to `desired`; false where it does not hold `expected` or
// is not memory. One atomic step where M has `compare_exchange`, which L0's memories have: other
// CPUs, and the CPU's own page walker, update entries at the same time.
template <class T, class M, class A>
[[nodiscard]] bool exchange_entry(M& memory, A address, T expected, T desired) {
  if constexpr (requires {
                  { memory.compare_exchange(address, expected, desired) } -> std::same_as<bool>;
                }) {
    return memory.compare_exchange(address, expected, desired);
  } else {
    return read_value<T>(memory, address) == expected && write_value(memory, address, desired);
  }
}

}  // namespace archelon::mmu
