#include "drivers/pci.hpp"

namespace archelon::drivers::pci {

const Function* find_class(const FunctionList& list, std::uint32_t class_and_subclass,
                           unsigned nth) {
  for (const Function& function : list) {
    if (function.class_and_subclass() == class_and_subclass && nth-- == 0) {
      return &function;
    }
  }
  return nullptr;
}

}  // namespace archelon::drivers::pci
