#pragma once

namespace kvmclient {

// The exit codes of the program.
inline constexpr int kFailed = 1;   // a check or the guest failed
inline constexpr int kUsage = 2;    // wrong arguments or files
inline constexpr int kNoKvm = 3;    // no usable /dev/kvm
inline constexpr int kTimeout = 4;  // the guest took too long

// Prints "kvmclient: TEXT" and ends with the code.
[[noreturn]] [[gnu::format(printf, 2, 3)]] void fail(int code, const char* format, ...);

}  // namespace kvmclient
