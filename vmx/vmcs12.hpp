#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "hv/base/address.hpp"
#include "hv/base/assert.hpp"
#include "hv/base/memory.hpp"
#include "vmx/field_groups.hpp"
#include "vmx/field_set.hpp"
#include "vmx/fields.hpp"
#include "vmx/vmcs12_image.hpp"
#include "vmx/vmcs_view.hpp"

namespace archelon::vmx {

// L1's VMCS for L2 as software state. Fields are found in constant time. Two sets make the state
// lazy: `dirty`, fields changed since VMCS02 was last brought up to date, and `in_vmcs02`, fields
// whose truth is in VMCS02 because L2 ran since; whoever reads one of those fetches it first
// (fetched()). A field is never in both.
class Vmcs12 {
 public:
  constexpr Vmcs12() = default;

  // Makes this the all-zero, clear VMCS of the region at `region`; all of it dirty.
  void reset(Gpa1 region);

  // Takes the VMCS over from L1's memory: one copy, sanitised, then used. A region that is not RAM
  // loads as all zeros.
  template <PhysicalMemory<Gpa1> M>
  void load(M& memory, Gpa1 region) {
    const auto bytes = std::as_writable_bytes(std::span<Vmcs12Image, 1>(&image_, 1));
    if (!memory.read(region + vmcs_region::kImageOffset, bytes)) {
      image_.magic = 0;
    }
    image_.sanitize();
    begin(region);
  }

  // Writes the VMCS back where it came from; nothing may be left in VMCS02. False where the region
  // is no longer RAM.
  template <PhysicalMemory<Gpa1> M>
  [[nodiscard]] bool store(M& memory) const {
    ARCHELON_ASSERT(in_vmcs02_.empty());
    return memory.write(region_ + vmcs_region::kImageOffset,
                        std::as_bytes(std::span<const Vmcs12Image, 1>(&image_, 1)));
  }

  [[nodiscard]] Gpa1 region() const { return region_; }
  [[nodiscard]] LaunchState launch_state() const { return image_.launch_state; }
  void set_launch_state(LaunchState state) { image_.launch_state = state; }

  // Typed access. On the host, reading a field that lives in VMCS02 fails the test.
  template <class T>
  [[nodiscard]] typename Field<T>::Value read(Field<T> field) const {
    return static_cast<typename Field<T>::Value>(read_at(position_of(field)));
  }
  template <class T>
  void write(Field<T> field, typename Field<T>::Value value) {
    write_at(position_of(field), value);
  }

  // Access by place in kFieldNames, full 64 bits.
  [[nodiscard]] std::uint64_t read_at(std::size_t position) const {
#ifdef ARCHELON_HOST
    ARCHELON_ASSERT(!in_vmcs02_.has(position));
#endif
    return image_.values[position];
  }
  // The value here, even where VMCS02 has a newer one: what L1 wrote last or an exit brought home.
  [[nodiscard]] std::uint64_t last_known(std::size_t position) const {
    return image_.values[position];
  }
  void write_at(std::size_t position, std::uint64_t value) {
    image_.values[position] = cut_to_width(kFieldNames[position].encoding, value);
    dirty_.add(position);
    dirty_groups_ |= mask_of(field_group(position));
    in_vmcs02_.remove(position);
  }

  // As VMREAD and VMWRITE access it: `high` is bits 63:32 of a 64-bit field.
  [[nodiscard]] std::uint64_t read_access(std::size_t position, bool high) const {
    const std::uint64_t value = read_at(position);
    return high ? value >> 32 : value;
  }
  void write_access(std::size_t position, bool high, std::uint64_t value);

  // What changed since clean() was last called.
  [[nodiscard]] const FieldSet& dirty() const {
    return dirty_;
  }
  [[nodiscard]] GroupMask dirty_groups() const {
    return dirty_groups_;
  }
  [[nodiscard]] bool is_dirty(GroupMask groups) const {
    return (dirty_groups_ & groups) != 0;
  }
  void clean() {
    dirty_.clear();
    dirty_groups_ = 0;
  }
  // After VMCS02 was lost or is another one: all fields must be written to it again.
  void dirty_all();

  // Fields that VMCS02 holds the truth of.
  [[nodiscard]] const FieldSet& in_vmcs02() const {
    return in_vmcs02_;
  }
  [[nodiscard]] bool is_in_vmcs02(std::size_t position) const {
    return in_vmcs02_.has(position);
  }
  // L2 has run: `saved` (fields_saved_on_exit) now lives in VMCS02. Those fields become clean.
  void leave_in_vmcs02(const FieldSet& saved) {
    in_vmcs02_ |= saved;
    dirty_ -= saved;
  }
  // The value of a field as VMCS02 has it: kept here too, and still equal to VMCS02's.
  void fetched(std::size_t position, std::uint64_t value) {
    image_.values[position] = cut_to_width(kFieldNames[position].encoding, value);
    in_vmcs02_.remove(position);
  }

 private:
  void begin(Gpa1 region);

  Vmcs12Image image_;
  Gpa1 region_;
  FieldSet dirty_ = kAllFields;
  FieldSet in_vmcs02_;
  GroupMask dirty_groups_ = kAllGroups;
};
static_assert(VmcsView<Vmcs12>);

}  // namespace archelon::vmx
