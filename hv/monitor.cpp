#include "hv/monitor.hpp"

namespace archelon::hv {

void poll_monitor() {}

}  // namespace archelon::hv
