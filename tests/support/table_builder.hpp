#pragma once

#include <cstdint>

#include "tests/support/fake_memory.hpp"

namespace archelon::test {

// Writes 8-byte-entry page tables by hand, without the code under test. Tables come from a bump
// pointer; intermediate entries get `table_bits`.
template <class A>
class TableBuilder {
 public:
  TableBuilder(FakeMemory<A>& memory, A first_table, unsigned levels = 4,
               std::uint64_t table_bits = 7)
      : memory_(memory), next_(first_table), levels_(levels), table_bits_(table_bits) {
    root_ = new_table();
  }

  [[nodiscard]] A root() const { return root_; }

  // The address of the entry of `level` for `input`, its tables made where they are missing.
  A slot(std::uint64_t input, unsigned level) {
    A table = root_;
    for (unsigned l = levels_;; --l) {
      const A entry = table + ((input >> (12 + 9 * (l - 1))) & 511) * 8;
      if (l == level) {
        return entry;
      }
      if ((memory_.peek(entry) & 0xffffffffff000) == 0) {
        memory_.poke(entry, new_table().value() | table_bits_);
      }
      table = A(memory_.peek(entry) & 0xffffffffff000);
    }
  }
  void put(std::uint64_t input, unsigned level, std::uint64_t entry) {
    memory_.poke(slot(input, level), entry);
  }
  [[nodiscard]] std::uint64_t get(std::uint64_t input, unsigned level) {
    return memory_.peek(slot(input, level));
  }
  A new_table() {
    const A table = next_;
    next_ += kPageSize;
    memory_.add(table, kPageSize);
    return table;
  }

 private:
  FakeMemory<A>& memory_;
  A next_;
  unsigned levels_;
  std::uint64_t table_bits_;
  A root_;
};

}  // namespace archelon::test
