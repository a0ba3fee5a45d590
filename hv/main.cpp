#include <cstdint>

#include "hv/base/log.hpp"
#include "hv/console.hpp"
#include "hv/hw/direct_map.hpp"
#include "hv/hw/instructions.hpp"

namespace archelon::hv {
namespace {

// Multiboot2 Specification, "Machine state": what EAX holds.
constexpr std::uint32_t kMultiboot2BootloaderMagic = 0x36d76289;

}  // namespace

extern "C" [[noreturn]] void kernel_main(std::uint32_t magic, std::uint32_t mbi,
                                         std::uint32_t image_base) {
  hw::set_image_base(Hpa(image_base));
  console_init();
  log_info("image at {}, boot information at {}", Hpa(image_base), Hpa(mbi));
  if (magic != kMultiboot2BootloaderMagic) {
    log_error("started by no multiboot2 loader (magic {:#x}); halted", magic);
  }
  for (;;) {
    hw::cli();
    hw::hlt();
  }
}

}  // namespace archelon::hv
