#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "check.hpp"
#include "error.hpp"
#include "linux_boot.hpp"

namespace kvmclient {

void fail(int code, const char* format, ...) {
  std::fflush(stdout);
  std::fputs("kvmclient: ", stderr);
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fputc('\n', stderr);
  std::exit(code);
}

namespace {

constexpr char kUsageText[] =
    "usage: kvmclient check\n"
    "       kvmclient boot --kernel BZIMAGE [--initrd FILE] [--cmdline TEXT] [--memory MIB]\n"
    "                      [--timeout SECONDS]\n"
    "check runs tiny guests in real, protected and long mode. boot runs Linux until it resets its\n"
    "machine or writes its exit code to port 0xf4.\n"
    "exit codes: 0 good, 1 the guest failed, 2 wrong usage, 3 no usable KVM, 4 the time is up\n";

unsigned long number(const char* option, const char* text, unsigned long most) {
  char* end = nullptr;
  errno = 0;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (errno != 0 || end == text || *end != 0 || value == 0 || value > most) {
    fail(kUsage, "%s wants a number from 1 to %lu, not '%s'", option, most, text);
  }
  return value;
}

int boot(int argc, char** argv) {
  BootOptions options;
  for (int i = 2; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) fail(kUsage, "%s wants a value", argv[i]);
    const char* value = argv[i + 1];
    if (option == "--kernel") {
      options.kernel = value;
    } else if (option == "--initrd") {
      options.initrd = value;
    } else if (option == "--cmdline") {
      options.cmdline = value;
    } else if (option == "--memory") {
      options.memory_mib = number("--memory", value, 3072);
    } else if (option == "--timeout") {
      options.timeout_seconds = static_cast<unsigned>(number("--timeout", value, 1000000));
    } else {
      fail(kUsage, "unknown option %s", argv[i]);
    }
  }
  if (options.kernel == nullptr) fail(kUsage, "boot wants --kernel");
  return boot_linux(options);
}

}  // namespace
}  // namespace kvmclient

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  if (command == "check" && argc == 2) return kvmclient::check();
  if (command == "boot") return kvmclient::boot(argc, argv);
  const bool help = command == "--help" || command == "-h";
  std::fputs(kvmclient::kUsageText, help ? stdout : stderr);
  return help ? 0 : kvmclient::kUsage;
}
