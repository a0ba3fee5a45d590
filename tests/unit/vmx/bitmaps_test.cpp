#include "vmx/bitmaps.hpp"

#include <catch2/catch.hpp>

using namespace archelon::vmx;

TEST_CASE("MSR bitmap: four ranges, everything else exits") {
  BitmapPage bitmap{};
  CHECK_FALSE(msr_intercepted(bitmap, 0x10, MsrAccess::kRead));
  CHECK(msr_intercepted(bitmap, 0x2000, MsrAccess::kRead));
  CHECK(msr_intercepted(bitmap, 0xbfffffff, MsrAccess::kWrite));
  CHECK(msr_intercepted(bitmap, 0xc0002000, MsrAccess::kWrite));

  CHECK(set_msr_intercept(bitmap, 0x1fff, MsrAccess::kRead, true));
  CHECK(set_msr_intercept(bitmap, 0xc0000080, MsrAccess::kWrite, true));
  CHECK_FALSE(set_msr_intercept(bitmap, 0x40000000, MsrAccess::kWrite, false));
  const auto* bytes = reinterpret_cast<const unsigned char*>(bitmap.data());
  CHECK(bytes[1023] == 0x80);
  CHECK(bytes[3072 + 0x80 / 8] == 0x01);
  CHECK(msr_intercepted(bitmap, 0x1fff, MsrAccess::kRead));
  CHECK_FALSE(msr_intercepted(bitmap, 0x1fff, MsrAccess::kWrite));
  CHECK_FALSE(msr_intercepted(bitmap, 0xc0000080, MsrAccess::kRead));
  CHECK_FALSE(msr_intercepted(bitmap, 0x80, MsrAccess::kWrite));
  CHECK(set_msr_intercept(bitmap, 0x1fff, MsrAccess::kRead, false));
  CHECK_FALSE(msr_intercepted(bitmap, 0x1fff, MsrAccess::kRead));
}

TEST_CASE("I/O bitmaps: wide accesses, the seam between them, and the wrap") {
  BitmapPage a{};
  BitmapPage b{};
  CHECK_FALSE(io_intercepted(a, b, 0x3f8, 4));
  CHECK_FALSE(io_intercepted(a, b, 0xfffc, 4));
  CHECK(io_intercepted(a, b, 0xfffd, 4));
  CHECK(io_intercepted(a, b, 0xffff, 2));
  CHECK_FALSE(io_intercepted(a, b, 0xffff, 1));

  set_io_intercept(a, b, 0x3fb, true);
  CHECK(io_intercepted(a, b, 0x3f8, 4));
  CHECK_FALSE(io_intercepted(a, b, 0x3f8, 2));
  CHECK_FALSE(io_intercepted(a, b, 0x3fc, 4));

  set_io_intercept(a, b, 0x8000, true);
  CHECK((b[0] & 1) == 1u);
  CHECK(io_intercepted(a, b, 0x7fff, 2));
  CHECK_FALSE(io_intercepted(a, b, 0x7fff, 1));
  set_io_intercept(a, b, 0x8000, false);
  CHECK_FALSE(io_intercepted(a, b, 0x7fff, 2));
}
