#pragma once

#include <concepts>

#include "vmx/fields.hpp"

namespace archelon::vmx {

// Typed access to one VMCS: the current hardware VMCS, a VMCS12, or a fake in a test.
template <class V>
concept VmcsView = requires(V view, std::uint16_t v16, std::uint32_t v32, std::uint64_t v64) {
  { view.read(fields::kVpid) } -> std::same_as<std::uint16_t>;
  { view.read(fields::kExitReason) } -> std::same_as<std::uint32_t>;
  { view.read(fields::kEptPointer) } -> std::same_as<std::uint64_t>;
  { view.read(fields::kGuestRip) } -> std::same_as<std::uint64_t>;
  view.write(fields::kVpid, v16);
  view.write(fields::kExceptionBitmap, v32);
  view.write(fields::kEptPointer, v64);
  view.write(fields::kGuestRip, v64);
};

// A guest's segment register read from, and written to, its four fields.
template <VmcsView V>
[[nodiscard]] arch::SegmentRegister read_guest_segment(V& view, arch::Segment segment) {
  const SegmentFields f = guest_segment_fields(segment);
  return {.selector = view.read(f.selector),
          .access_rights = view.read(f.access_rights),
          .limit = view.read(f.limit),
          .base = view.read(f.base)};
}

template <VmcsView V>
void write_guest_segment(V& view, arch::Segment segment, const arch::SegmentRegister& value) {
  const SegmentFields f = guest_segment_fields(segment);
  view.write(f.selector, value.selector);
  view.write(f.access_rights, value.access_rights);
  view.write(f.limit, value.limit);
  view.write(f.base, value.base);
}

}  // namespace archelon::vmx
