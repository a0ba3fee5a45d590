#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "hv/base/memory.hpp"
#include "hv/guest/layout.hpp"

namespace archelon::test {

// The RAM of a VM as a map of pages that were written. Reads and writes outside of the layout's RAM
// fail, as they do on the real thing.
class GuestRam {
 public:
  explicit GuestRam(const guest::MemoryLayout& layout) : layout_(layout) {}

  bool read(Gpa1 at, std::span<std::byte> out) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const Gpa1 address = at + i;
      if (!is_ram(address)) {
        return false;
      }
      const auto page = pages_.find(address.page().value());
      out[i] = page == pages_.end() ? std::byte{0} : page->second[address.page_offset()];
    }
    return true;
  }

  bool write(Gpa1 at, std::span<const std::byte> in) {
    while (!in.empty()) {
      if (!is_ram(at)) {
        return false;
      }
      const std::size_t now = std::min<std::size_t>(in.size(), kPageSize - at.page_offset());
      std::copy_n(in.begin(), now,
                  pages_[at.page().value()].begin() + static_cast<long>(at.page_offset()));
      in = in.subspan(now);
      at += now;
    }
    return true;
  }

  template <class T>
  T get(std::uint64_t at) {
    return read_value<T>(*this, Gpa1{at}).value();
  }

  std::string text(std::uint64_t at) {
    std::string s;
    for (char c = get<char>(at); c != '\0'; c = get<char>(++at)) {
      s += c;
    }
    return s;
  }

  [[nodiscard]] bool touched(Gpa1 page) const { return pages_.contains(page.page().value()); }

 private:
  [[nodiscard]] bool is_ram(Gpa1 address) const {
    return std::ranges::any_of(layout_.ram(), [&](const guest::RamRange& range) {
      return address >= range.base && address - range.base < range.size;
    });
  }

  guest::MemoryLayout layout_;
  std::map<std::uint64_t, std::array<std::byte, kPageSize>> pages_;
};

static_assert(PhysicalMemory<GuestRam, Gpa1>);

}  // namespace archelon::test
