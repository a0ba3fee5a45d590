#pragma once

namespace archelon::hv {

// After the platform is known, on the boot CPU: hands the free memory to the frame allocator, finds
// VT-x, and prepares what all VMs share.
void bring_up_system();

// Every CPU's own part, the boot CPU's included: timer and VMX operation.
void bring_up_this_cpu();

// On the boot CPU: waits, for a second at most, until every CPU has done its part. VMs run only
// where all can run them alike.
void wait_for_all_cpus();

// Reads archelon.conf among the modules, says what is wrong with it, and makes its settings
// effective where the command line says nothing else.
void read_configuration();

// Starts the VMs of the configuration, where this machine can run any.
void start_configured_vms();

}  // namespace archelon::hv
