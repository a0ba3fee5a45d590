#pragma once

namespace archelon::hv {

// Makes this CPU forget what one guest taught its branch predictors before another one runs that
// must not trust it: another vCPU, or L1 after its L2, since all guests are alike to the CPU, and
// an L1 may rely on modes being kept apart. Nothing where the CPU has no such command (IBPB).
void forget_branches();

// Before another vCPU runs: the L1 data cache is emptied where a guest could read it (L1TF).
void forget_data();

}  // namespace archelon::hv
