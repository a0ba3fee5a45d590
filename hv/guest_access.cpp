#include "hv/guest_access.hpp"

#include <algorithm>

#include "hv/guest_state.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"
#include "mmu/guest_walk.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;

// L2's physical memory: EPT12 (or nothing, when L1 uses none) before L1's memory.
class L2Memory {
 public:
  explicit L2Memory(Vcpu& vcpu) : vcpu_(&vcpu) {}

  [[nodiscard]] bool read(Gpa2 address, std::span<std::byte> out) const {
    return pieces(address, out.size(), mmu::Rights::kRead, [&](Gpa1 at, std::size_t done,
                                                               std::size_t n) {
      return vcpu_->vm.memory.read(at, out.subspan(done, n));
    });
  }
  [[nodiscard]] bool write(Gpa2 address, std::span<const std::byte> in) const {
    return pieces(address, in.size(), mmu::Rights::kReadWrite, [&](Gpa1 at, std::size_t done,
                                                                   std::size_t n) {
      return vcpu_->vm.memory.write(at, in.subspan(done, n));
    });
  }

 private:
  template <class F>
  [[nodiscard]] bool pieces(Gpa2 address, std::size_t size, mmu::Rights access, F each) const {
    for (std::size_t done = 0; done < size;) {
      const Gpa2 at = address + done;
      const std::size_t n =
          std::min<std::size_t>(size - done, kPageSize - static_cast<std::size_t>(at.page_offset()));
      const auto page = nested::translate_l2(*vcpu_, at, access);
      if (!page || !each(*page, done, n)) {
        return false;
      }
      done += n;
    }
    return true;
  }
  Vcpu* vcpu_;
};

[[nodiscard]] mmu::PagingState paging_state(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs();
  mmu::PagingState state{.cr0 = guest_cr0(vcpu),
                         .cr3 = vmcs.read(fields::kGuestCr3),
                         .cr4 = guest_cr4(vcpu),
                         .efer = guest_efer(vcpu),
                         .rflags = vmcs.read(fields::kGuestRflags),
                         .physical_bits = system().physical_bits};
  if (mmu::paging_mode(state) == mmu::PagingMode::kPae) {
    for (std::uint32_t i = 0; i < 4; ++i) {
      state.pdptes[i] = vmcs.read(fields::kGuestPdpte0.at(i));
    }
  }
  return state;
}

// What L0 makes of a failed walk: the #PF, or for tables outside the guest's memory a page that is
// not present.
template <class A>
[[nodiscard]] arch::Exception fault_of(const mmu::GuestFault<A>& fault, Gva address) {
  return {.vector = arch::Vector::kPf,
          .error_code = fault.kind == mmu::GuestFaultKind::kPageFault ? fault.error_code : 0,
          .cr2 = address.value()};
}

// Calls each(physical, done, n) for the pieces of a linear range that lie in one page; the fault
// where there is one, before anything of its page was touched.
template <class A, class M, class F>
[[nodiscard]] std::optional<arch::Exception> for_pages(M& memory, const mmu::PagingState& state,
                                                       Gva address, std::size_t size,
                                                       const mmu::LinearAccess& access, F each) {
  for (std::size_t done = 0; done < size;) {
    const Gva at = address + done;
    const std::size_t n =
        std::min<std::size_t>(size - done, kPageSize - static_cast<std::size_t>(at.page_offset()));
    const auto page = mmu::guest_walk<A>(memory, state, at, access);
    if (!page) {
      return fault_of(page.error(), at);
    }
    each(page->address, done, n);
    done += n;
  }
  return std::nullopt;
}

// Runs body(memory, A{}) over the physical space of the guest that runs.
template <class F>
[[nodiscard]] auto with_memory(Vcpu& vcpu, F body) {
  if (nested::running_l2(vcpu)) {
    L2Memory memory(vcpu);
    return body(memory, Gpa2());
  }
  return body(vcpu.vm.memory, Gpa1());
}

[[nodiscard]] std::optional<arch::Exception> read_as(Vcpu& vcpu, Gva address,
                                                     std::span<std::byte> out,
                                                     const mmu::LinearAccess& access) {
  const mmu::PagingState state = paging_state(vcpu);
  return with_memory(vcpu, [&](auto& memory, auto space) {
    using A = decltype(space);
    return for_pages<A>(memory, state, address, out.size(), access,
                        [&](A at, std::size_t done, std::size_t n) {
                          // What is not RAM reads as all ones.
                          if (!memory.read(at, out.subspan(done, n))) {
                            std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(done), n,
                                        std::byte{0xff});
                          }
                        });
  });
}

[[nodiscard]] std::optional<arch::Exception> probe_as(Vcpu& vcpu, Gva address, std::size_t size,
                                                      const mmu::LinearAccess& access) {
  const mmu::PagingState state = paging_state(vcpu);
  return with_memory(vcpu, [&](auto& memory, auto space) {
    using A = decltype(space);
    return for_pages<A>(memory, state, address, size, access,
                        [](A, std::size_t, std::size_t) {});
  });
}

[[nodiscard]] std::optional<arch::Exception> write_as(Vcpu& vcpu, Gva address,
                                                      std::span<const std::byte> in,
                                                      const mmu::LinearAccess& access) {
  // All pages first: an access that faults changes nothing.
  if (const auto fault = probe_as(vcpu, address, in.size(), access)) {
    return fault;
  }
  const mmu::PagingState state = paging_state(vcpu);
  return with_memory(vcpu, [&](auto& memory, auto space) {
    using A = decltype(space);
    return for_pages<A>(memory, state, address, in.size(), access,
                        [&](A at, std::size_t done, std::size_t n) {
                          static_cast<void>(memory.write(at, in.subspan(done, n)));
                        });
  });
}

[[nodiscard]] mmu::LinearAccess at_cpl(Vcpu& vcpu, bool write) {
  return {.write = write, .user = guest_cpl(vcpu) == 3};
}

[[nodiscard]] bool deliver(Vcpu& vcpu, const std::optional<arch::Exception>& fault) {
  if (fault) {
    inject_exception(vcpu, *fault);
  }
  return !fault.has_value();
}

}  // namespace

std::uint64_t segment_base(Vcpu& vcpu, arch::Segment segment) {
  return vcpu.vmcs().read(guest_segment_fields(segment).base);
}

std::uint64_t linear_address(Vcpu& vcpu, std::uint64_t base, std::uint64_t offset) {
  return in_64bit_mode(vcpu) ? base + offset : (base + offset) & 0xffff'ffff;
}

bool read_guest_linear(Vcpu& vcpu, Gva address, std::span<std::byte> out) {
  return deliver(vcpu, read_as(vcpu, address, out, at_cpl(vcpu, false)));
}

bool write_guest_linear(Vcpu& vcpu, Gva address, std::span<const std::byte> in) {
  return deliver(vcpu, write_as(vcpu, address, in, at_cpl(vcpu, true)));
}

std::optional<arch::Exception> read_linear_fault(Vcpu& vcpu, Gva address,
                                                 std::span<std::byte> out) {
  return read_as(vcpu, address, out, at_cpl(vcpu, false));
}

std::optional<arch::Exception> write_linear_fault(Vcpu& vcpu, Gva address,
                                                  std::span<const std::byte> in) {
  return write_as(vcpu, address, in, at_cpl(vcpu, true));
}

bool probe_guest_write(Vcpu& vcpu, Gva address, std::size_t size) {
  return deliver(vcpu, probe_as(vcpu, address, size, at_cpl(vcpu, true)));
}

std::optional<Gpa1> guest_physical(Vcpu& vcpu, Gva address, bool write) {
  const mmu::PagingState state = paging_state(vcpu);
  const mmu::LinearAccess access = at_cpl(vcpu, write);
  std::optional<Gpa1> result;
  const auto fault = with_memory(vcpu, [&](auto& memory, auto space) {
    using A = decltype(space);
    return for_pages<A>(memory, state, address, 1, access, [&](A at, std::size_t, std::size_t) {
      if constexpr (std::is_same_v<A, Gpa2>) {
        result = nested::translate_l2(vcpu, at, write ? mmu::Rights::kReadWrite
                                                      : mmu::Rights::kRead);
      } else {
        result = at;
      }
    });
  });
  static_cast<void>(deliver(vcpu, fault));
  return result;
}

std::size_t fetch_instruction(Vcpu& vcpu, std::span<std::byte> out) {
  const std::uint64_t rip = vcpu.vmcs().read(fields::kGuestRip);
  const bool flat = in_64bit_mode(vcpu);
  const std::uint64_t base = flat ? 0 : segment_base(vcpu, arch::Segment::kCs);
  const Gva start(linear_address(vcpu, base, rip));
  const mmu::LinearAccess access{.fetch = true, .user = guest_cpl(vcpu) == 3};
  // The instruction may end at a page's end with nothing behind it.
  const std::size_t first = std::min<std::size_t>(
      out.size(), kPageSize - static_cast<std::size_t>(start.page_offset()));
  if (const auto fault = read_as(vcpu, start, out.first(first), access)) {
    inject_exception(vcpu, *fault);
    return 0;
  }
  if (first < out.size() && !read_as(vcpu, start + first, out.subspan(first), access)) {
    return out.size();
  }
  return first;
}

}  // namespace archelon::hv
