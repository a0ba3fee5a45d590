#pragma once

#include <cstdint>

#include "hv/arch/registers.hpp"
#include "hv/base/address.hpp"
#include "vmx/fields.hpp"
#include "vmx/hw/instructions.hpp"

namespace archelon::vmx::native {

// A VMREAD or VMWRITE of L0's own failed: L0 asked for a field that this CPU does not have, or no
// VMCS is current. Ends L0 with the field's name.
[[noreturn]] void access_failed(const char* what, std::uint32_t encoding);

// A VMCS region of the CPU (VMCS01 or VMCS02). Fields are read and written on the CPU's current
// VMCS, so make_current() comes first; VMPTRLD is left out where this one is current already.
// Satisfies VmcsView.
class Vmcs {
 public:
  // `region`: a zeroed 4 KiB frame. `revision`: IA32_VMX_BASIC bits 30:0.
  void attach(Hpa region, std::uint32_t revision);
  [[nodiscard]] bool attached() const { return attached_; }
  [[nodiscard]] Hpa region() const { return region_; }

  // VMCLEAR: the CPU forgets it, the next entry is a VMLAUNCH. Needed before another CPU uses it.
  void clear();
  void make_current();

  template <class T>
  [[nodiscard]] typename Field<T>::Value read(Field<T> field) const {
    std::uint64_t value = 0;
    if (vmread(field.encoding, value) != Outcome::kSucceed) [[unlikely]] {
      access_failed("VMREAD", field.encoding);
    }
    return static_cast<typename Field<T>::Value>(value);
  }
  template <class T>
  void write(Field<T> field, typename Field<T>::Value value) {
    if (vmwrite(field.encoding, value) != Outcome::kSucceed) [[unlikely]] {
      access_failed("VMWRITE", field.encoding);
    }
  }

  // By encoding, for loops over fields that a table names.
  [[nodiscard]] std::uint64_t read_encoding(std::uint32_t encoding) const {
    std::uint64_t value = 0;
    if (vmread(encoding, value) != Outcome::kSucceed) [[unlikely]] {
      access_failed("VMREAD", encoding);
    }
    return value;
  }
  void write_encoding(std::uint32_t encoding, std::uint64_t value) {
    if (vmwrite(encoding, value) != Outcome::kSucceed) [[unlikely]] {
      access_failed("VMWRITE", encoding);
    }
  }

  // VMLAUNCH or VMRESUME. kSucceed: the guest ran and exited (or its entry failed with an exit).
  [[nodiscard]] Outcome enter(arch::Gprs& gprs);
  // The last enter() failed with an exit: the launch state is what it was before. SDM vol. 3C,
  // "VM-Entry Failures During or After Loading Guest State".
  void entry_failed() { launched_ = launched_before_; }

 private:
  Hpa region_;
  bool attached_ = false;
  bool launched_ = false;
  bool launched_before_ = false;
  std::uint64_t host_rsp_ = 0;
};

// Tells this CPU's binding that no VMCS is current any more (after VMXOFF).
void forget_current();

}  // namespace archelon::vmx::native
