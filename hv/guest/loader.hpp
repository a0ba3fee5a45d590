#pragma once

#include "hv/guest/kernel_kind.hpp"
#include "hv/guest/linux_loader.hpp"
#include "hv/guest/multiboot1_loader.hpp"
#include "hv/guest/multiboot2_loader.hpp"

namespace archelon::guest {

// Puts the kernel, whatever it is, with all that belongs to it into the guest's memory and answers
// the boot CPU's start state. After an error the guest's memory is undefined.
template <PhysicalMemory<Gpa1> M>
[[nodiscard]] Result<BootState, LoadError> load_kernel(M& memory, const BootRequest& request) {
  switch (kernel_kind(request.kernel)) {
    case KernelKind::kLinux:
      return load_linux(memory, request);
    case KernelKind::kMultiboot1:
      return load_multiboot1(memory, request);
    case KernelKind::kMultiboot2:
      return load_multiboot2(memory, request);
    case KernelKind::kGzip:
      return Err{LoadError{LoadFault::kCompressedKernel}};
    case KernelKind::kUnknown:
      break;
  }
  return Err{LoadError{LoadFault::kUnknownKernel}};
}

}  // namespace archelon::guest
