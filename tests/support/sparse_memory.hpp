#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "hv/base/address.hpp"

namespace archelon::test {

// Physical memory that exists only where something was placed.
template <class A>
class SparseMemory {
 public:
  void place(A base, std::span<const std::byte> bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes_[base.value() + i] = bytes[i];
    }
  }
  bool read(A base, std::span<std::byte> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto it = bytes_.find(base.value() + i);
      if (it == bytes_.end()) {
        return false;
      }
      out[i] = it->second;
    }
    return true;
  }
  bool write(A base, std::span<const std::byte> in) {
    for (std::size_t i = 0; i < in.size(); ++i) {
      const auto it = bytes_.find(base.value() + i);
      if (it == bytes_.end()) {
        return false;
      }
      it->second = in[i];
    }
    return true;
  }

 private:
  std::map<std::uint64_t, std::byte> bytes_;
};

}  // namespace archelon::test
