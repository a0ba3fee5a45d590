#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "hv/base/result.hpp"
#include "mmu/guest_walk.hpp"

namespace archelon::mmu {

// Why bytes at a linear address could not be copied: the walk's fault, or, with kind kUnreadable,
// a page or table (`entry`) that is not memory of the space. `address` is the first linear address
// that could not be reached, as CR2 would tell.
template <class A>
struct GuestCopyFault {
  GuestFault<A> fault = {};
  Gva address = {};
};

// Linear addresses have this width, for wrapping around at its end.
[[nodiscard]] constexpr std::uint64_t linear_mask(const PagingState& state) {
  return (state.efer & arch::efer::kLma) != 0 ? ~std::uint64_t{0} : bit_mask(31, 0);
}

namespace detail {

// Calls visit(physical address, offset, bytes) for each page of a linear range; stops where it
// answers false.
template <class A, class M, class V>
[[nodiscard]] Status<GuestCopyFault<A>> each_page(M& memory, const PagingState& state, Gva address,
                                                  std::size_t size, const LinearAccess& access,
                                                  V visit) {
  for (std::size_t done = 0; done < size;) {
    const Gva here((address.value() + done) & linear_mask(state));
    const std::size_t bytes = std::min<std::size_t>(size - done, kPageSize - here.page_offset());
    const auto page = guest_walk<A>(memory, state, here, access);
    if (!page) {
      return Err{GuestCopyFault<A>{page.error(), here}};
    }
    if (!visit(page->address, done, bytes)) {
      return Err{
          GuestCopyFault<A>{{.kind = GuestFaultKind::kUnreadable, .entry = page->address}, here}};
    }
    done += bytes;
  }
  return Ok{};
}

}  // namespace detail

// Copies guest bytes at a linear address, crossing pages; the content of `out` is undefined on
// failure. For fetches and system structures set `access` accordingly.
template <class A, class M>
requires PhysicalMemory<M, A>
[[nodiscard]] Status<GuestCopyFault<A>> read_guest(M& memory, const PagingState& state, Gva address,
                                                   std::span<std::byte> out,
                                                   const LinearAccess& access) {
  return detail::each_page<A>(memory, state, address, out.size(), access,
                              [&](A page, std::size_t done, std::size_t bytes) {
                                return memory.read(page, out.subspan(done, bytes));
                              });
}

// Whether all bytes of a linear range can be accessed that way; flags are set as by the access.
template <class A, class M>
requires PhysicalMemory<M, A>
[[nodiscard]] Status<GuestCopyFault<A>> probe_guest(M& memory, const PagingState& state,
                                                    Gva address, std::size_t size,
                                                    const LinearAccess& access) {
  return detail::each_page<A>(memory, state, address, size, access,
                              [](A, std::size_t, std::size_t) { return true; });
}

// Copies bytes to the guest. Where a page faults nothing is written, as for one instruction's
// operand; `access.write` is taken as set.
template <class A, class M>
requires PhysicalMemory<M, A>
[[nodiscard]] Status<GuestCopyFault<A>> write_guest(M& memory, const PagingState& state,
                                                    Gva address, std::span<const std::byte> in,
                                                    LinearAccess access) {
  access.write = true;
  const bool one_page = (address.page_offset() + in.size()) <= kPageSize;
  if (!one_page) {
    const auto reachable = probe_guest<A>(memory, state, address, in.size(), access);
    if (!reachable) {
      return reachable;
    }
  }
  return detail::each_page<A>(memory, state, address, in.size(), access,
                              [&](A page, std::size_t done, std::size_t bytes) {
                                return memory.write(page, in.subspan(done, bytes));
                              });
}

}  // namespace archelon::mmu
