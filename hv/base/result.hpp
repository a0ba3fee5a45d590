#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "hv/base/assert.hpp"

namespace archelon {

// Wraps an error value so that Result's constructors stay unambiguous: `return Err{...};`.
template <class E>
struct Err {
  E error;
};
template <class E>
Err(E) -> Err<E>;

struct Ok {};

// A value or an error. T and E are trivially destructible: L0 has no exceptions and no heap.
template <class T, class E>
class [[nodiscard]] Result {
  static_assert(std::is_trivially_destructible_v<T> && std::is_trivially_destructible_v<E>);

 public:
  constexpr Result(T value) : value_(std::move(value)), ok_(true) {}  // NOLINT(*-explicit-*)
  constexpr Result(Err<E> err) : error_(std::move(err.error)), ok_(false) {}  // NOLINT
  template <class F>
    requires std::is_convertible_v<F, E>
  constexpr Result(Err<F> err) : error_(std::move(err.error)), ok_(false) {}  // NOLINT

  [[nodiscard]] constexpr bool ok() const { return ok_; }
  constexpr explicit operator bool() const { return ok_; }

  [[nodiscard]] constexpr const T& value() const {
    ARCHELON_ASSERT(ok_);
    return value_;
  }
  [[nodiscard]] constexpr T& value() {
    ARCHELON_ASSERT(ok_);
    return value_;
  }
  [[nodiscard]] constexpr const E& error() const {
    ARCHELON_ASSERT(!ok_);
    return error_;
  }
  [[nodiscard]] constexpr T value_or(T fallback) const { return ok_ ? value_ : fallback; }
  constexpr const T& operator*() const { return value(); }
  constexpr T& operator*() { return value(); }
  constexpr const T* operator->() const { return &value(); }
  constexpr T* operator->() { return &value(); }

 private:
  union {
    T value_;
    E error_;
  };
  bool ok_;
};

// Success without a value, or an error: `Result<Ok, E>` with `return Ok{};`.
template <class E>
using Status = Result<Ok, E>;

}  // namespace archelon
