#pragma once

namespace kvmclient {

// Runs tiny guests in real, protected and long mode; prints a line each. The program's exit code.
int check();

}  // namespace kvmclient
