#pragma once

#include "hv/devices/machine.hpp"

// Machine's address decoding: ports and MMIO.
namespace archelon::devices {

template <MachineHost H>
void Machine<H>::reset(std::uint64_t now_ns) {
  uart_.reset();
  pit_.reset();
  rtc_.reset(rtc_.base_seconds(), now_ns);
  pm_.reset(now_ns);
  pci_.reset();
  keyboard_.reset();
  reset_control_ = 0;
  post_code_ = 0;
  if (config_.firmware_handoff) {
    rtc_.describe_memory(config_.memory_below_4g(), config_.memory_above_4g());
    pit_.firmware_handoff(now_ns);
  }
  interrupts_.reset(config_.firmware_handoff);
  update_lines();
  update_shared_deadline();
}

template <MachineHost H>
std::uint32_t Machine<H>::io_read(std::uint16_t port, unsigned size, std::uint64_t now_ns) {
  if (port == kPciAddress && size == 4) {
    return pci_.address();
  }
  // Everything else is a row of 8-bit registers, and a wider access a row of 8-bit accesses; past
  // the last port there is nothing.
  std::uint32_t value = 0xffff'ffff;
  for (unsigned i = 0; i < std::min(size, 4u) && port + i <= 0xffff; ++i) {
    const auto byte = read_port(static_cast<std::uint16_t>(port + i), now_ns);
    value = (value & ~(0xffu << i * 8)) | std::uint32_t{byte} << i * 8;
  }
  return size >= 4 ? value : value & ((1u << size * 8) - 1);
}

template <MachineHost H>
void Machine<H>::io_write(std::uint16_t port, unsigned size, std::uint32_t value,
                          std::uint64_t now_ns) {
  if (port == kPciAddress && size == 4) {
    pci_.set_address(value);
    return;
  }
  if (config_.debug_exit_port == port) {
    power(PowerEvent::kDebugExit, size >= 4 ? value : value & ((1u << size * 8) - 1));
    return;
  }
  for (unsigned i = 0; i < std::min(size, 4u) && port + i <= 0xffff; ++i) {
    write_port(static_cast<std::uint16_t>(port + i), truncate<std::uint8_t>(value >> i * 8),
               now_ns);
  }
}

template <MachineHost H>
std::uint8_t Machine<H>::read_port(std::uint16_t port, std::uint64_t now_ns) {
  if (config_.debugcon_port == port) {
    return 0xe9;
  }
  if (port >= kUartPort && port < kUartPort + 8) {
    const std::uint8_t value = uart_.read(port - kUartPort);
    update_lines();
    return value;
  }
  if (PicPair::decodes(port)) {
    return interrupts_.pic_read(port);
  }
  if (port >= kPmPort && port < kPmPort + kPmPortCount) {
    const std::uint8_t value = pm_.read(port - kPmPort, now_ns);
    update_lines();
    return value;
  }
  if (port >= kPciData && port < kPciData + 4) {
    return pci_.read(port - kPciData);
  }
  switch (port) {
    case 0x40:
    case 0x41:
    case 0x42:
    case 0x43:
      return pit_.read(port - 0x40u, now_ns);
    case 0x60:
      return keyboard_.read_data();
    case 0x61:
      return pit_.read_port61(now_ns);
    case 0x64:
      return keyboard_.read_status();
    case 0x71: {
      const std::uint8_t value = rtc_.read(now_ns);
      update_lines();
      update_shared_deadline();
      return value;
    }
    case 0x80:
      return post_code_;
    case 0x92:
      return keyboard_.a20() ? 0x02 : 0x00;
    case kResetPort:
      return reset_control_;
    default:
      return 0xff;
  }
}

template <MachineHost H>
void Machine<H>::write_uart(unsigned index, std::uint8_t value) {
  const auto sent = uart_.write(index, value);
  if (uart_.take_dip()) {
    interrupts_.set_line(kUartIrq, false);
  }
  update_lines();
  if (sent) {
    host_.console_output(*sent);
  }
}

template <MachineHost H>
void Machine<H>::write_reset_control(std::uint8_t value) {
  constexpr std::uint8_t kResetCpu = 0x04;
  const bool pulse = (value & kResetCpu) != 0 && (reset_control_ & kResetCpu) == 0;
  reset_control_ = value & 0x0e;
  if (pulse) {
    power(PowerEvent::kReset, 0);
  }
}

template <MachineHost H>
void Machine<H>::write_port92(std::uint8_t value) {
  keyboard_.set_a20((value & 0x02) != 0);
  if ((value & 0x01) != 0) {
    power(PowerEvent::kReset, 0);
  }
}

template <MachineHost H>
void Machine<H>::write_port(std::uint16_t port, std::uint8_t value, std::uint64_t now_ns) {
  if (config_.debugcon_port == port) {
    host_.debug_output(value);
    return;
  }
  if (port >= kUartPort && port < kUartPort + 8) {
    write_uart(port - kUartPort, value);
    return;
  }
  if (PicPair::decodes(port)) {
    interrupts_.pic_write(port, value);
    return;
  }
  if (port >= kPmPort && port < kPmPort + kPmPortCount) {
    const auto sleep = pm_.write(port - kPmPort, value, now_ns);
    update_lines();
    update_shared_deadline();
    if (sleep == kSleepTypeS5) {
      power(PowerEvent::kPowerOff, 0);
    }
    return;
  }
  if (port >= kPciData && port < kPciData + 4) {
    pci_.write(port - kPciData, value);
    return;
  }
  switch (port) {
    case 0x40:
    case 0x41:
    case 0x42:
    case 0x43:
      advance(now_ns);  // an edge before this moment is still the old count's
      pit_.write(port - 0x40u, value, now_ns);
      update_shared_deadline();
      break;
    case 0x60:
      if (keyboard_.write_data(value)) {
        power(PowerEvent::kReset, 0);
      }
      break;
    case 0x61:
      pit_.write_port61(value, now_ns);
      break;
    case 0x64:
      if (keyboard_.write_command(value)) {
        power(PowerEvent::kReset, 0);
      }
      break;
    case 0x70:
      rtc_.select(value);
      break;
    case 0x71:
      rtc_.write(value, now_ns);
      update_lines();
      update_shared_deadline();
      break;
    case 0x80:
      post_code_ = value;
      break;
    case 0x92:
      write_port92(value);
      break;
    case kResetPort:
      write_reset_control(value);
      break;
    default:
      break;
  }
}

template <MachineHost H>
bool Machine<H>::mmio_contains(Gpa1 address) const {
  if (in_page(address, kIoapicBase)) {
    return true;
  }
  for (unsigned i = 0; i < interrupts_.cpus(); ++i) {
    if (sees_lapic(i, address)) {
      return true;
    }
  }
  return false;
}

// Both APICs have 32-bit registers on 16-byte boundaries; the 12 bytes after each read 0. A read
// may take part of a register, a write is one of the whole register or ignored.
template <MachineHost H>
std::uint64_t Machine<H>::mmio_read(unsigned cpu, Gpa1 address, unsigned size,
                                    std::uint64_t now_ns) {
  const std::uint64_t mask = size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << size * 8) - 1;
  const auto offset = static_cast<unsigned>(address.page_offset());
  const unsigned byte = offset & 0xf;
  std::uint32_t value = 0;
  if (sees_lapic(cpu, address)) {
    value = byte < 4 ? lapic(cpu).mmio_read(offset >> 4, now_ns) : 0;
  } else if (in_page(address, kIoapicBase)) {
    value = byte < 4 ? interrupts_.ioapic_read(offset & ~0xfu) : 0;
  } else {
    return mask;
  }
  return byte < 4 ? std::uint64_t{value} >> byte * 8 & mask : 0;
}

template <MachineHost H>
void Machine<H>::mmio_write(unsigned cpu, Gpa1 address, unsigned size, std::uint64_t value,
                            std::uint64_t now_ns) {
  const auto offset = static_cast<unsigned>(address.page_offset());
  if (size < 4 || (offset & 0xf) != 0) {
    return;
  }
  const auto word = static_cast<std::uint32_t>(value);
  if (sees_lapic(cpu, address)) {
    apply(cpu, lapic(cpu).mmio_write(offset >> 4, word, now_ns));
  } else if (in_page(address, kIoapicBase)) {
    interrupts_.ioapic_write(offset, word);
  }
}

}  // namespace archelon::devices
