#include "hv/vcpu.hpp"

#include "hv/hw/cpu.hpp"
#include "hv/hw/interrupts.hpp"
#include "hv/hw/smp.hpp"

namespace archelon::hv {

void Vcpu::request(std::uint32_t what) {
  const std::uint32_t before = work_.fetch_or(what, std::memory_order_acq_rel);
  // Its own CPU looks before the next entry; another one must leave its guest or its sleep.
  if ((before & what) != what && cpu != hw::this_cpu().index) {
    hw::send_ipi(cpu, hw::kKickVector);
  }
}

}  // namespace archelon::hv
