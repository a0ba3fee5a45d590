#pragma once

#include <cstdint>

#include "hv/base/bits.hpp"
#include "mmu/rights.hpp"

namespace archelon::mmu {

// The exit qualification of an EPT violation.
// SDM vol. 3C, "Basic VM-Exit Information", table "Exit Qualification for EPT Violations".
namespace ept_qualification {
inline constexpr std::uint64_t kDataRead = bit(0);
inline constexpr std::uint64_t kDataWrite = bit(1);
inline constexpr std::uint64_t kFetch = bit(2);
inline constexpr std::uint64_t kReadable = bit(3);
inline constexpr std::uint64_t kWritable = bit(4);
inline constexpr std::uint64_t kExecutable = bit(5);      // supervisor, with mode-based control
inline constexpr std::uint64_t kExecutableUser = bit(6);  // with mode-based control
inline constexpr std::uint64_t kLinearValid = bit(7);
inline constexpr std::uint64_t kFinalAccess = bit(8);  // 0: an access to a guest paging structure
inline constexpr std::uint64_t kUserPage = bit(9);     // 9..11: advanced exit information
inline constexpr std::uint64_t kWritablePage = bit(10);
inline constexpr std::uint64_t kNxPage = bit(11);
inline constexpr std::uint64_t kNmiUnblocking = bit(12);
}  // namespace ept_qualification

struct EptViolationDetail {
  Rights access = {};         // as asked for: execution in one mode or both
  Rights rights = {};         // EptWalk::rights
  bool mode_based = false;    // the control is on
  bool linear_valid = false;  // the guest-linear address field is valid
  bool final_access = false;  // the translation of that linear address, not a step of its page walk
  bool nmi_unblocking = false;
  // Valid and reported only for a final access on a CPU with advanced exit information.
  bool advanced = false;
  bool user_page = false;
  bool writable_page = false;
  bool nx_page = false;
};

[[nodiscard]] constexpr std::uint64_t make_ept_qualification(const EptViolationDetail& detail) {
  namespace q = ept_qualification;
  const auto when = [](bool condition, std::uint64_t mask) { return condition ? mask : 0; };
  const bool final_access = detail.linear_valid && detail.final_access;
  const bool advanced = final_access && detail.advanced;
  return when(detail.access.contains(Rights::kRead), q::kDataRead) |
         when(detail.access.contains(Rights::kWrite), q::kDataWrite) |
         when(detail.access.intersects(Rights::kExecute), q::kFetch) |
         when(detail.rights.contains(Rights::kRead), q::kReadable) |
         when(detail.rights.contains(Rights::kWrite), q::kWritable) |
         when(detail.rights.contains(Rights::kExecuteSupervisor), q::kExecutable) |
         when(detail.mode_based && detail.rights.contains(Rights::kExecuteUser),
              q::kExecutableUser) |
         when(detail.linear_valid, q::kLinearValid) | when(final_access, q::kFinalAccess) |
         when(advanced && detail.user_page, q::kUserPage) |
         when(advanced && detail.writable_page, q::kWritablePage) |
         when(advanced && detail.nx_page, q::kNxPage) |
         when(detail.nmi_unblocking, q::kNmiUnblocking);
}

// The rights that the access of a qualification needs. A fetch needs execution in the mode of the
// linear address, which only advanced exit information tells; without mode-based control both are
// one right.
[[nodiscard]] constexpr Rights access_of_qualification(std::uint64_t qualification,
                                                       bool mode_based) {
  namespace q = ept_qualification;
  Rights access;
  if ((qualification & q::kDataRead) != 0) {
    access = access | Rights::kRead;
  }
  if ((qualification & q::kDataWrite) != 0) {
    access = access | Rights::kWrite;
  }
  if ((qualification & q::kFetch) != 0) {
    const bool user = (qualification & q::kUserPage) != 0;
    access = access | (!mode_based ? Rights::kExecute
                       : user      ? Rights::kExecuteUser
                                   : Rights::kExecuteSupervisor);
  }
  return access;
}

// True where the qualification is of the CPU's access to a guest paging structure on the way to a
// linear address.
[[nodiscard]] constexpr bool is_page_walk_qualification(std::uint64_t qualification) {
  namespace q = ept_qualification;
  return (qualification & (q::kLinearValid | q::kFinalAccess)) == q::kLinearValid;
}

}  // namespace archelon::mmu
