#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "vmx/fields.hpp"

namespace archelon::test {

// A VMCS that is a map: fields read as 0 until written; what was written is counted.
struct FakeVmcs {
  std::map<std::uint32_t, std::uint64_t> values;
  std::multiset<std::uint32_t> writes;
  std::multiset<std::uint32_t> reads;

  template <class T>
  typename vmx::Field<T>::Value read(vmx::Field<T> field) {
    reads.insert(field.encoding);
    return static_cast<typename vmx::Field<T>::Value>(values[field.encoding]);
  }
  template <class T>
  void write(vmx::Field<T> field, typename vmx::Field<T>::Value value) {
    writes.insert(field.encoding);
    values[field.encoding] = value;
  }
};

}  // namespace archelon::test
