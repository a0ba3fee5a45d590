#include "vmx/checks/check_entry.hpp"

namespace archelon::vmx::checks {

bool is_left_to_cpu(const FieldSet& fields, const CheckScope& scope) {
  FieldSet different = fields & kGuestStateFields;
  different -= scope.verbatim;
  return different.empty();
}

}  // namespace archelon::vmx::checks
