#include "tests/support/guest_fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)archelon::test::fuzz_config(std::as_bytes(std::span(data, size)));
  return 0;
}
