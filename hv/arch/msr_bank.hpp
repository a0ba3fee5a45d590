#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hv/arch/msr_policy.hpp"
#include "hv/base/address.hpp"
#include "hv/base/result.hpp"

namespace archelon::arch {

// The MSRs of one vCPU that L0 emulates by storing them (MsrOwner::kBank, and TSC_ADJUST).
class MsrBank {
 public:
  constexpr MsrBank() = default;

  // Power-on values. INIT changes none of them.
  void reset(const MsrConfig& config);

  // The MTRRs as PC firmware leaves them, the same on every CPU: write-back but for the VGA window
  // and everything from `end_of_low_memory` (page aligned) to 4 GiB, the ROM area write-protected.
  void set_firmware_mtrrs(Gpa1 end_of_low_memory);

  // RDMSR and WRMSR of an MSR whose owner is the bank; Gp for any other.
  [[nodiscard]] Result<std::uint64_t, Gp> read(std::uint32_t index) const;
  [[nodiscard]] Status<Gp> write(std::uint32_t index, std::uint64_t value);

  // WRMSR of IA32_TIME_STAMP_COUNTER or IA32_TSC_ADJUST while the guest's TSC stands at `now`:
  // answers what to add to the vCPU's TSC offset. SDM vol. 3B, "IA32_TSC_ADJUST Register".
  [[nodiscard]] std::uint64_t write_tsc(std::uint64_t value, std::uint64_t now);
  [[nodiscard]] std::uint64_t write_tsc_adjust(std::uint64_t value);
  [[nodiscard]] std::uint64_t tsc_adjust() const { return tsc_adjust_; }

 private:
  [[nodiscard]] bool valid_write(const MsrRule& rule, std::uint32_t index,
                                 std::uint64_t value) const;
  [[nodiscard]] std::uint64_t reserved_address_bits() const;

  MsrConfig config_{};
  std::array<std::uint64_t, kMsrBankSlots> values_{};
  std::uint64_t tsc_adjust_ = 0;
};

}  // namespace archelon::arch
