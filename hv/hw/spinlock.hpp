#pragma once

#include <atomic>
#include <cstdint>

#include "hv/hw/instructions.hpp"

namespace archelon::hw {

// A ticket lock: first come, first served. Take it by SpinlockGuard.
class Spinlock {
 public:
  void lock() {
    const std::uint32_t ticket = next_.fetch_add(1, std::memory_order_relaxed);
    while (serving_.load(std::memory_order_acquire) != ticket) {
      pause();
    }
  }
  void unlock() {
    serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  // Takes the lock if that is possible within `spins` attempts: for a panic, which goes on without.
  [[nodiscard]] bool try_lock(std::uint32_t spins) {
    for (; spins != 0; --spins) {
      std::uint32_t ticket = serving_.load(std::memory_order_acquire);
      if (next_.compare_exchange_strong(ticket, ticket + 1, std::memory_order_acquire)) {
        return true;
      }
      pause();
    }
    return false;
  }

 private:
  std::atomic<std::uint32_t> next_{0};
  std::atomic<std::uint32_t> serving_{0};
};

// Holds a lock with interrupts disabled; restores the interrupt flag as it was.
class SpinlockGuard {
 public:
  explicit SpinlockGuard(Spinlock& lock) : lock_(lock), enabled_(interrupts_enabled()) {
    cli();
    lock_.lock();
  }
  ~SpinlockGuard() {
    lock_.unlock();
    if (enabled_) {
      sti();
    }
  }
  SpinlockGuard(const SpinlockGuard&) = delete;
  SpinlockGuard& operator=(const SpinlockGuard&) = delete;

 private:
  Spinlock& lock_;
  bool enabled_;
};

}  // namespace archelon::hw
