#include "hv/guest_access.hpp"

#include <algorithm>

#include "hv/guest_state.hpp"
#include "hv/nested/engine.hpp"
#include "hv/nested/state.hpp"
#include "hv/system.hpp"
#include "hv/vm.hpp"
#include "mmu/guest_memory.hpp"
#include "mmu/nested_memory.hpp"

namespace archelon::hv {
namespace {

using namespace vmx;
using nested::L2Memory;

template <class A>
using CopyStatus = Status<mmu::GuestCopyFault<A>>;

[[nodiscard]] mmu::PagingState paging_state(Vcpu& vcpu) {
  native::Vmcs& vmcs = vcpu.vmcs();
  // What an L2 reads of them may be its L1's invention; the CPU translates by these. L0 owns no bit
  // that matters to paging.
  mmu::PagingState state{.cr0 = vmcs.read(fields::kGuestCr0),
                         .cr3 = vmcs.read(fields::kGuestCr3),
                         .cr4 = vmcs.read(fields::kGuestCr4),
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

[[nodiscard]] mmu::LinearAccess at_cpl(Vcpu& vcpu, bool write) {
  return {.write = write, .user = guest_cpl(vcpu) == 3};
}

// The #PF of a failed copy. Tables or pages outside RAM of the space give none: reads of such a
// page are all ones and writes are lost, as on a bus with nothing there.
template <class A>
[[nodiscard]] std::optional<arch::Exception> fault_of(const CopyStatus<A>& status) {
  if (status || status.error().fault.kind != mmu::GuestFaultKind::kPageFault) {
    return std::nullopt;
  }
  return arch::Exception{.vector = arch::Vector::kPf,
                         .error_code = status.error().fault.error_code,
                         .cr2 = status.error().address.value()};
}

// Runs body(memory, A{}), an access at `address`, over the physical space of the guest that runs;
// false where it did not succeed, and what the guest or its L1 must see of that is on its way.
template <class F>
[[nodiscard]] bool in_guest_space(Vcpu& vcpu, Gva address, F body) {
  std::optional<arch::Exception> fault;
  if (std::optional<L2Memory> memory = nested::l2_memory(vcpu)) {
    const auto status = body(*memory, Gpa2());
    if (!status && memory->failure()) {
      nested::reflect_access_failure(vcpu, address, *memory->failure());
      return false;
    }
    fault = fault_of(status);
  } else {
    fault = fault_of(body(vcpu.vm.memory, Gpa1()));
  }
  if (fault) {
    inject_exception(vcpu, *fault);
  }
  return !fault.has_value();
}

[[nodiscard]] bool read_as(Vcpu& vcpu, Gva address, std::span<std::byte> out,
                           const mmu::LinearAccess& access) {
  const mmu::PagingState state = paging_state(vcpu);
  std::ranges::fill(out, std::byte{0xff});
  return in_guest_space(vcpu, address, [&](auto& memory, auto space) {
    return mmu::read_guest<decltype(space)>(memory, state, address, out, access);
  });
}

}  // namespace

std::uint64_t segment_base(Vcpu& vcpu, arch::Segment segment) {
  return vcpu.vmcs().read(guest_segment_fields(segment).base);
}

std::uint64_t linear_address(Vcpu& vcpu, std::uint64_t base, std::uint64_t offset) {
  return in_64bit_mode(vcpu) ? base + offset : (base + offset) & 0xffff'ffff;
}

bool read_guest_linear(Vcpu& vcpu, Gva address, std::span<std::byte> out) {
  return read_as(vcpu, address, out, at_cpl(vcpu, false));
}

bool write_guest_linear(Vcpu& vcpu, Gva address, std::span<const std::byte> in) {
  const mmu::PagingState state = paging_state(vcpu);
  const mmu::LinearAccess access = at_cpl(vcpu, true);
  return in_guest_space(vcpu, address, [&](auto& memory, auto space) {
    return mmu::write_guest<decltype(space)>(memory, state, address, in, access);
  });
}

bool probe_guest_write(Vcpu& vcpu, Gva address, std::size_t size) {
  const mmu::PagingState state = paging_state(vcpu);
  const mmu::LinearAccess access = at_cpl(vcpu, true);
  return in_guest_space(vcpu, address, [&](auto& memory, auto space) {
    return mmu::probe_guest<decltype(space)>(memory, state, address, size, access);
  });
}

std::optional<arch::Exception> read_l1_linear(Vcpu& vcpu, Gva address, std::span<std::byte> out) {
  std::ranges::fill(out, std::byte{0xff});
  return fault_of(
      mmu::read_guest<Gpa1>(vcpu.vm.memory, paging_state(vcpu), address, out, at_cpl(vcpu, false)));
}

std::optional<arch::Exception> write_l1_linear(Vcpu& vcpu, Gva address,
                                               std::span<const std::byte> in) {
  return fault_of(
      mmu::write_guest<Gpa1>(vcpu.vm.memory, paging_state(vcpu), address, in, at_cpl(vcpu, true)));
}

std::optional<Gpa1> guest_physical(Vcpu& vcpu, Gva address, bool write) {
  const mmu::PagingState state = paging_state(vcpu);
  const mmu::LinearAccess access = at_cpl(vcpu, write);
  std::optional<Gpa1> result;
  const bool reached = in_guest_space(vcpu, address, [&](auto& memory, auto space) {
    using A = decltype(space);
    const auto page = mmu::guest_walk<A>(memory, state, address, access);
    if (!page) {
      return CopyStatus<A>(Err{mmu::GuestCopyFault<A>{page.error(), address}});
    }
    if constexpr (std::is_same_v<A, Gpa1>) {
      result = page->address;
    } else {
      result =
          memory.l1_address(page->address, write ? mmu::Rights::kReadWrite : mmu::Rights::kRead);
      if (!result) {
        return CopyStatus<A>(Err{mmu::GuestCopyFault<A>{
            {.kind = mmu::GuestFaultKind::kUnreadable, .entry = page->address}, address}});
      }
    }
    return CopyStatus<A>(Ok{});
  });
  return reached ? result : std::nullopt;
}

std::size_t fetch_instruction(Vcpu& vcpu, std::span<std::byte> out) {
  const std::uint64_t rip = vcpu.vmcs().read(fields::kGuestRip);
  const std::uint64_t base = in_64bit_mode(vcpu) ? 0 : segment_base(vcpu, arch::Segment::kCs);
  const Gva start(linear_address(vcpu, base, rip));
  const mmu::LinearAccess access{.fetch = true, .user = guest_cpl(vcpu) == 3};
  // The instruction may end at a page's end with nothing behind it: the second page is asked for
  // without consequences.
  const std::size_t first =
      std::min<std::size_t>(out.size(), kPageSize - static_cast<std::size_t>(start.page_offset()));
  if (!read_as(vcpu, start, out.first(first), access)) {
    return 0;
  }
  if (first == out.size()) {
    return first;
  }
  const mmu::PagingState state = paging_state(vcpu);
  const auto quietly = [&](auto& memory, auto space) {
    return mmu::read_guest<decltype(space)>(memory, state, start + first, out.subspan(first),
                                            access)
        .ok();
  };
  std::optional<L2Memory> memory = nested::l2_memory(vcpu);
  const bool more = memory ? quietly(*memory, Gpa2()) : quietly(vcpu.vm.memory, Gpa1());
  return more ? out.size() : first;
}

}  // namespace archelon::hv
