#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"

namespace archelon::test {

// RAM of one address space as a map of pages that can be looked into. Only pages that were added
// exist; everything else answers false, as a hole of the machine does.
template <class A>
class FakeMemory {
 public:
  struct alignas(8) Page : std::array<std::byte, kPageSize> {};

  void add(A base, std::uint64_t bytes) {
    for (std::uint64_t offset = 0; offset < bytes; offset += kPageSize) {
      pages_[(base + offset).page().value()] = Page{};
    }
  }
  void remove(A base) { pages_.erase(base.page().value()); }
  [[nodiscard]] bool has(A address) const { return pages_.contains(address.page().value()); }
  [[nodiscard]] std::map<std::uint64_t, Page>& pages() { return pages_; }

  bool read(A address, std::span<std::byte> out) {
    ++reads;
    return each(address, out.size(), [&](std::byte* in, std::size_t done, std::size_t n) {
      std::memcpy(out.data() + done, in, n);
    });
  }
  bool write(A address, std::span<const std::byte> in) {
    ++writes;
    return each(address, in.size(), [&](std::byte* out, std::size_t done, std::size_t n) {
      std::memcpy(out, in.data() + done, n);
    });
  }

  [[nodiscard]] std::uint64_t peek(A address) {
    std::uint64_t value = ~std::uint64_t{0};
    if (has(address)) {
      std::memcpy(&value, pages_[address.page().value()].data() + address.page_offset(), 8);
    }
    return value;
  }
  void poke(A address, std::uint64_t value) {
    std::memcpy(pages_[address.page().value()].data() + address.page_offset(), &value, 8);
  }

  std::uint64_t reads = 0;
  std::uint64_t writes = 0;

 private:
  template <class F>
  bool each(A address, std::size_t size, F copy) {
    std::size_t done = 0;
    while (done < size) {
      const A here = address + done;
      const auto page = pages_.find(here.page().value());
      if (page == pages_.end()) {
        return false;
      }
      const std::size_t n = std::min<std::size_t>(size - done, kPageSize - here.page_offset());
      copy(page->second.data() + here.page_offset(), done, n);
      done += n;
    }
    return true;
  }

  std::map<std::uint64_t, Page> pages_;
};

static_assert(PhysicalMemory<FakeMemory<Hpa>, Hpa>);

// The same, reached through pointers as L0's own memories are.
template <class A>
class PointedMemory : public FakeMemory<A> {
 public:
  // Null where the bytes are not all in one page that exists.
  std::byte* pointer(A address, std::uint64_t size) {
    const auto page = this->pages().find(address.page().value());
    if (page == this->pages().end() || address.page_offset() + size > kPageSize) {
      return nullptr;
    }
    return page->second.data() + address.page_offset();
  }
};

}  // namespace archelon::test
