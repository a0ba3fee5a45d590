#pragma once

namespace archelon {

// Ends L0 with a report (kernel) or the test with a message (host). Only for broken invariants of
// our own: nothing a guest, GRUB, ACPI or the serial line can do may reach it.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace archelon

#define ARCHELON_ASSERT(condition)        \
  ((condition) ? static_cast<void>(0)     \
               : ::archelon::assertion_failed(#condition, __FILE__, __LINE__))
