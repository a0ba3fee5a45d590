#include "hv/hw/smp.hpp"

#include "hv/hw/traps.hpp"

namespace archelon::hw {

void stop_other_cpus() {
  stop_on_nmi();
}

}  // namespace archelon::hw
