#include "hv/vm.hpp"

#include "hv/base/log.hpp"
#include "hv/console.hpp"

namespace archelon::hv {
namespace {

void print_line(Vm& vm, std::string_view line) { console_write_vm_line(vm.name, line); }

}  // namespace

void VmConsoleOutput::line(std::string_view text) { console_write_vm_line(name, text); }
void VmConsoleOutput::record(std::string_view text) { console_record_vm_line(name, text); }
void VmConsoleOutput::unfinished(std::string_view text) { console_begin_vm_line(name, text); }
void VmConsoleOutput::raw(std::string_view text) { console_write_raw(text); }
std::uint32_t VmConsoleOutput::interruptions() const { return console_interruptions(); }

void Vm::Host::kick(unsigned cpu) {
  if (cpu < vm_->vcpu_count) {
    vm_->vcpus[cpu]->request(work::kInterrupts);
  }
}
void Vm::Host::init_cpu(unsigned cpu) {
  if (cpu < vm_->vcpu_count) {
    vm_->vcpus[cpu]->request(work::kInit);
  }
}
void Vm::Host::startup_cpu(unsigned cpu, std::uint8_t vector) {
  if (cpu < vm_->vcpu_count) {
    vm_->vcpus[cpu]->sipi_vector.store(vector, std::memory_order_release);
    vm_->vcpus[cpu]->request(work::kSipi);
  }
}
void Vm::Host::nmi_cpu(unsigned cpu) {
  if (cpu < vm_->vcpu_count) {
    vm_->vcpus[cpu]->request(work::kNmi);
  }
}
void Vm::Host::console_output(std::uint8_t byte) {
  vm_->console.put(byte, VmConsoleOutput{vm_->name});
}
void Vm::Host::debug_output(std::uint8_t byte) {
  vm_->debug_console.put(byte, [this](std::string_view line) { print_line(*vm_, line); });
}
void Vm::Host::power(devices::PowerEvent event, std::uint32_t code) {
  if (!vm_->power_event) {
    vm_->power_event = event;
    vm_->power_code = code;
  }
}

void Vm::flush_consoles() {
  console.flush(VmConsoleOutput{name});
  debug_console.flush([this](std::string_view line) { print_line(*this, line); });
}

}  // namespace archelon::hv
