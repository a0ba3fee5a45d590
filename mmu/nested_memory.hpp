#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/memory.hpp"
#include "mmu/ept_walk.hpp"
#include "mmu/table_memory.hpp"

namespace archelon::mmu {

// L2's physical memory: each access goes through EPT12, with flags set as the CPU would, to L1's
// memory. With it guest_walk, read_guest and write_guest serve L2; their accesses to L2's page
// tables are accesses of a guest page walk.
//
// What fails leaves a Failure, which says what L1 must be told; a caller that gets an error from
// the functions above looks for it first.
template <class L1Memory>
requires PhysicalMemory<L1Memory, Gpa1>
class NestedMemory {
 public:
  struct Failure {
    EptWalk<Gpa1> walk;  // kTranslated: EPT12 allows it, but L1 has no RAM at walk.address
    Gpa2 address;
    Rights access;
    bool guest_page_walk = false;
  };

  NestedMemory(L1Memory& l1, const EptRoot<Gpa1>& root, const ept::Rules& rules)
      : l1_(&l1), root_(root), rules_(rules) {}

  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

  [[nodiscard]] bool read(Gpa2 address, std::span<std::byte> out) {
    return pieces(address, out.size(), Rights::kRead,
                  [&](Gpa1 at, std::size_t done, std::size_t bytes) {
                    return l1_->read(at, out.subspan(done, bytes));
                  });
  }
  [[nodiscard]] bool write(Gpa2 address, std::span<const std::byte> in) {
    return pieces(address, in.size(), Rights::kWrite,
                  [&](Gpa1 at, std::size_t done, std::size_t bytes) {
                    return l1_->write(at, in.subspan(done, bytes));
                  });
  }

  // Where a byte is in L1's physical memory, RAM or not.
  [[nodiscard]] std::optional<Gpa1> l1_address(Gpa2 address, Rights access) {
    const auto walk = translate(address, access, /*guest_page_walk=*/false);
    return walk ? std::optional<Gpa1>(walk->address) : std::nullopt;
  }

  template <class T>
  [[nodiscard]] std::optional<T> load_table_entry(Gpa2 address) {
    const auto walk = translate(address, Rights::kRead, /*guest_page_walk=*/true);
    if (!walk) {
      return std::nullopt;
    }
    const auto entry = load_entry<T>(*l1_, walk->address);
    if (!entry) {
      failure_ = Failure{*walk, address, Rights::kRead, true};
    }
    return entry;
  }
  template <class T>
  [[nodiscard]] bool exchange_table_entry(Gpa2 address, T expected, T desired) {
    const auto walk = translate(address, Rights::kWrite, /*guest_page_walk=*/true);
    return walk && exchange_entry<T>(*l1_, walk->address, expected, desired);
  }

 private:
  [[nodiscard]] std::optional<EptWalk<Gpa1>> translate(Gpa2 address, Rights access,
                                                       bool guest_page_walk) {
    const Rights needed = needed_rights(access, guest_page_walk, root_.accessed_dirty);
    const auto walk = ept_walk(*l1_, root_, address.value(), needed, rules_);
    if (!walk.translated()) {
      failure_ = Failure{walk, address, needed, guest_page_walk};
      return std::nullopt;
    }
    return walk;
  }

  template <class V>
  [[nodiscard]] bool pieces(Gpa2 address, std::size_t size, Rights access, V copy) {
    for (std::size_t done = 0; done < size;) {
      const Gpa2 here = address + done;
      const std::size_t bytes = std::min<std::size_t>(size - done, kPageSize - here.page_offset());
      const auto walk = translate(here, access, /*guest_page_walk=*/false);
      if (!walk) {
        return false;
      }
      if (!copy(walk->address, done, bytes)) {
        failure_ = Failure{*walk, here, access, false};
        return false;
      }
      done += bytes;
    }
    return true;
  }

  L1Memory* l1_;
  EptRoot<Gpa1> root_;
  ept::Rules rules_;
  std::optional<Failure> failure_;
};

}  // namespace archelon::mmu
