#include "hv/power.hpp"

#include "hv/base/log.hpp"
#include "hv/console.hpp"
#include "hv/hw/instructions.hpp"
#include "hv/hw/smp.hpp"
#include "hv/machine.hpp"
#include "hv/platform.hpp"

namespace archelon::hv {
namespace {

// Port of Bochs and of old QEMU that turns an emulator off by the letters of "Shutdown".
constexpr std::uint16_t kEmulatorShutdownPort = 0x8900;

void enter_sleep_state(const drivers::acpi::GenericAddress& control, std::uint8_t type) {
  if (control.present() && control.space == drivers::acpi::GenericAddress::Space::kIo) {
    const auto port = static_cast<std::uint16_t>(control.address);
    hw::out16(port, drivers::acpi::pm1_sleep_value(hw::in16(port), type));
  }
}

[[noreturn]] void halt_for_ever() {
  console_flush();
  while (true) {
    hw::cli();
    hw::hlt();
  }
}

}  // namespace

void power_off_machine() {
  log_info("power off");
  console_flush();
  hw::stop_other_cpus();
  const drivers::acpi::Info& acpi = platform().acpi;
  if (acpi.s5) {
    enter_sleep_state(acpi.fadt.pm1a_control, acpi.s5->pm1a);
    enter_sleep_state(acpi.fadt.pm1b_control, acpi.s5->pm1b);
  }
  for (const char c : std::string_view("Shutdown")) {
    hw::out8(kEmulatorShutdownPort, static_cast<std::uint8_t>(c));
  }
  log_error("power off: firmware gives no working way; turn the machine off by hand");
  halt_for_ever();
}

void reboot_machine() {
  log_info("reboot");
  console_flush();
  hw::stop_other_cpus();
  hw::out8(0xcf9, 0x02);
  hw::out8(0xcf9, 0x06);
  hw::out8(0x64, 0xfe);
  hw::triple_fault();  // the last resort
}

void all_vms_ended() {
  switch (machine().options.on_end.value_or(boot::kDefaultOnEnd)) {
    case boot::OnEnd::kShell:
      return;
    case boot::OnEnd::kPowerOff:
      power_off_machine();
    case boot::OnEnd::kReboot:
      reboot_machine();
  }
}

}  // namespace archelon::hv
