#include "vmx/vmcs12.hpp"

namespace archelon::vmx {

void Vmcs12::reset(Gpa1 region) {
  image_.magic = 0;
  image_.sanitize();
  begin(region);
}

void Vmcs12::begin(Gpa1 region) {
  region_ = region;
  in_vmcs02_.clear();
  dirty_all();
}

void Vmcs12::dirty_all() {
  dirty_ = kAllFields;
  dirty_ -= in_vmcs02_;
  dirty_groups_ = kAllGroups;
}

void Vmcs12::write_access(std::size_t position, bool high, std::uint64_t value) {
  if (high) {
    value = (value << 32) | bit_field(read_at(position), 31, 0);
  }
  write_at(position, value);
}

}  // namespace archelon::vmx
