#include "hv/system.hpp"

#include <cstring>

#include "hv/hw/direct_map.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hv {
namespace {

constinit System g_system;

}  // namespace

System& system() { return g_system; }

std::optional<Hpa> LockedFrames::allocate() {
  hw::SpinlockGuard guard(g_system.frames_lock);
  return g_system.frames.allocate();
}

void LockedFrames::free(Hpa frame) {
  hw::SpinlockGuard guard(g_system.frames_lock);
  g_system.frames.free(frame);
}

std::optional<Hpa> allocate_zeroed_frame() {
  const std::optional<Hpa> frame = LockedFrames{}.allocate();
  if (frame) {
    std::memset(g_system.memory.pointer(*frame), 0, kPageSize);
  }
  return frame;
}

Hpa must_allocate_frame() {
  const std::optional<Hpa> frame = allocate_zeroed_frame();
  ARCHELON_ASSERT(frame.has_value());
  return *frame;
}

void* allocate_object(std::size_t bytes) {
  const std::uint64_t size = align_up(bytes, kPageSize);
  std::optional<Hpa> at;
  {
    hw::SpinlockGuard guard(g_system.frames_lock);
    at = g_system.frames.allocate_contiguous(size, kPageSize);
  }
  if (!at) {
    return nullptr;
  }
  std::memset(g_system.memory.pointer(*at), 0, size);
  return g_system.memory.pointer(*at);
}

std::uint64_t now_ns() { return g_system.clock.to_ns(hw::rdtsc()); }

}  // namespace archelon::hv
